"""The network against upstream's recorded forward passes (synthetic weights), and each of its rules separately."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iiszoo.errors import BadOption
from iiszoo.models.windows import ViTSizes
from iiszoo.protocol import to_tensor
from iiszoo_simpleclick.configs import CONFIGS, NetworkConfig, config_of
from iiszoo_simpleclick.network import NETWORKS, UNUSED, SimpleClickNetwork

OFFICIAL = [model for model in NETWORKS if not model.endswith("-sbd")]
VIT = ViTSizes(dim=16, depth=4, heads=2, patch=16, global_every=2, trained=448)
SMALL = NetworkConfig(VIT, pyramid=(8, 8, 8, 8), head=8)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module", params=["xtiny", pytest.param("vit-b", marks=pytest.mark.slow)], ids=["xtiny", "vit-b"])
def parity(request: pytest.FixtureRequest, recorded: Any) -> Any:
    """(fixture file, meta, network) with the fixture's weights, built as a loader does."""
    file, meta, weights = recorded(f"simpleclick_vit_{request.param.removeprefix('vit-')}__sheep")
    with torch.device("meta"):
        network = SimpleClickNetwork(CONFIGS[request.param])
    network.load_state_dict(weights, assign=True)
    return file, meta, network.eval()


def inputs(file: Any) -> tuple[Tensor, Tensor]:
    image = to_tensor(file["fwd_image"])[None]
    previous = torch.from_numpy(file["fwd_prev_u8"])[None].float() / 255
    return image, torch.cat((previous, torch.from_numpy(file["fwd_disks"]).float()), dim=1)


@torch.inference_mode()
def test_a_forward_in_float32(parity: Any) -> None:
    file, meta, network = parity
    seen: list[Tensor] = []
    hook = network.neck.register_forward_pre_hook(lambda _, arguments: seen.extend(arguments))
    logits = network(*inputs(file))
    hook.remove()
    assert np.abs(seen[0][:, ::16, ::2, ::2].numpy() - file["fwd_backbone_sub"]).max() < 1e-4
    error = np.abs(logits.flatten()[file["fwd_logits_sample_idx"]].numpy() - file["fwd_logits_sample_f32"]).max()
    assert error <= 5 * meta["float64"]["max_abs_f64_minus_f32"]


@torch.inference_mode()
def test_a_forward_in_float64(parity: Any) -> None:
    """Reveals LayerNorm's eps and the variant of GELU, which float32 does not."""
    file, _, network = parity
    network.double()
    logits = network(*(maps.double() for maps in inputs(file)))
    network.float()
    assert np.abs(logits.flatten()[file["fwd_f64_positions"]].numpy() - file["fwd_f64_sample"][0]).max() <= 1e-7


@torch.inference_mode()
def test_the_position_embedding_of_davis(parity: Any) -> None:
    """672 x 672 pixels: 42 x 42 patches. The stored array begins with the class token's position."""
    file, _, network = parity
    found = network.backbone.positions((42, 42))[:, 6::7, ::8].detach().numpy()
    assert np.abs(found - file["pos_embed_672_sub"][:, 1:]).max() < 1e-6


@pytest.mark.parametrize("model", OFFICIAL)
def test_the_keys_and_shapes_are_the_official_ones(model: str, official: Any) -> None:
    _, entries = official(model)
    with torch.device("meta"):
        network = NETWORKS[model]()
    assert set(entries) >= UNUSED
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == {
        k: shape for k, shape in entries.items() if k not in UNUSED
    }


@pytest.mark.parametrize("model", OFFICIAL)
def test_the_configurations_are_the_official_ones(model: str, official: Any) -> None:
    arguments, _ = official(model)
    theirs, head, config = arguments["backbone_params"], arguments["head_params"], config_of(model)
    vit = config.vit
    assert [theirs["embed_dim"], theirs["depth"], theirs["num_heads"]] == [vit.dim, vit.depth, vit.heads]
    assert [*theirs["patch_size"], *theirs["img_size"]] == [vit.patch, vit.patch, vit.trained, vit.trained]
    assert [*head["in_channels"], head["channels"]] == [*config.pyramid, config.head]


def test_the_number_of_global_blocks() -> None:
    found = {name: config.vit.depth / config.vit.global_every for name, config in CONFIGS.items()}
    assert found == {"vit-b": 2, "vit-l": 4, "vit-h": 4, "xtiny": 4}


def test_weights_are_taken_over_without_a_copy() -> None:
    weights = SimpleClickNetwork(SMALL).state_dict()
    with torch.device("meta"):
        network = SimpleClickNetwork(SMALL)
    network.load_state_dict(weights, assign=True)
    assert {k: v.data_ptr() for k, v in network.state_dict().items()} == {k: v.data_ptr() for k, v in weights.items()}
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


@pytest.mark.parametrize(
    ("size", "message"),
    [((600, 448), "37 x 28 patches do not divide into 2 x 2 equal windows"), ((448, 200), "do not fill one window")],
)
def test_a_size_without_equal_windows(size: tuple[int, int], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        SimpleClickNetwork(SMALL)(torch.rand(1, 3, *size), torch.rand(1, 3, *size))


@torch.inference_mode()
@pytest.mark.parametrize(("size", "patch"), [((224, 448), 16), ((463, 448), 16), ((240, 224), 16), ((238, 448), 14)])
def test_logits_have_the_image_s_size_and_do_not_depend_on_the_batch(size: tuple[int, int], patch: int) -> None:
    """Also if a side leaves a remainder, and if the grid has an odd side, which the coarsest level halves."""
    network = SimpleClickNetwork(replace(SMALL, vit=replace(VIT, patch=patch))).eval()
    image, maps = torch.rand(3, 3, *size), torch.rand(3, 3, *size)
    untouched = image.clone()
    logits = network(image, maps)
    assert logits.shape == (3, 1, *size)
    assert torch.equal(image, untouched)
    for b in range(3):
        assert torch.allclose(network(image[b : b + 1], maps[b : b + 1])[0], logits[b], rtol=0, atol=1e-5)
