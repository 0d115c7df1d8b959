"""The network against the official state dicts and configuration, and the rules of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_segnext import SMALL, small_segnext
from torch import Tensor, nn

from iiszoo_segnext.network import CONFIGS, NETWORKS, UNUSED, Decoder, SegNextNetwork


def official(shared: Path, model: str) -> Any:
    """What the fixtures state of upstream's network."""
    name = model.removeprefix("segnext/vitb-").removesuffix("-hq")
    return json.loads((shared / "parity" / "state_dicts_2026" / f"segnext_vitb_{name}.json").read_text())


def empty(model: str) -> SegNextNetwork:
    with torch.device("meta"):
        return NETWORKS[model]()


@pytest.mark.parametrize("model", NETWORKS)
def test_the_keys_and_shapes_are_the_official_ones(model: str, shared: Path) -> None:
    entries = {key: tuple(shape) for key, shape, _ in official(shared, model)["state_dict"]}
    assert entries.keys() >= UNUSED
    assert {key: tuple(value.shape) for key, value in empty(model).state_dict().items()} == {
        key: shape for key, shape in entries.items() if key not in UNUSED
    }


@pytest.mark.parametrize("model", NETWORKS)
def test_the_configurations_are_the_official_ones(model: str, shared: Path) -> None:
    arguments, config = official(shared, model)["kwargs"], CONFIGS[model]
    vit, theirs = config.vit, arguments["backbone_params"]
    assert [theirs["embed_dim"], theirs["depth"], theirs["num_heads"]] == [vit.dim, vit.depth, vit.heads]
    assert [*theirs["patch_size"], *theirs["img_size"]] == [vit.patch, vit.patch, vit.trained, vit.trained]
    assert theirs["global_atten_freq"] == vit.global_every
    assert arguments["fusion_params"]["depth"] == config.fusion
    assert arguments["head_params"]["in_channels"] == [*config.pyramid]
    assert arguments["head_params"]["out_channels"] == config.head


def test_the_norms_of_backbone_and_fusion_have_upstreams_eps() -> None:
    """uncbiag/SegNext 4c45ce8: `VisionTransformer` sets 1e-6, the fusion's `Block` has torch's default."""
    network = empty("segnext/vitb-sax2")
    for part, eps in ((network.backbone.blocks, 1e-6), (network.fusion_blocks, 1e-5)):
        assert {module.eps for module in part.modules() if isinstance(module, nn.LayerNorm)} == {eps}


@torch.inference_mode()
def test_sessions_do_not_depend_on_the_batch() -> None:
    network = small_segnext()
    decoder = Decoder(network)
    torch.manual_seed(0)
    features, maps = torch.randn(3, SMALL.vit.dim, 64, 64), torch.rand(3, 3, 1024, 1024)
    logits: Tensor = decoder(features, maps)
    assert logits.shape == (3, 1, 256, 256)
    for b in range(3):
        torch.testing.assert_close(decoder(features[b : b + 1], maps[b : b + 1])[0], logits[b], rtol=0, atol=1e-4)
