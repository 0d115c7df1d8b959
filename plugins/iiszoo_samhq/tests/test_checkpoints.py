"""The networks have every entry of the official files; a wrong file is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_samhq import small_samhq

from iiszoo.errors import WeightsError
from iiszoo_sam import checkpoints
from iiszoo_sam.checkpoints import identify, load_sam
from iiszoo_samhq.cards import CARDS
from iiszoo_samhq.network import NETWORKS

State = dict[str, torch.Tensor]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_the_official_keys_shapes_and_types(shared: Path, card: Any) -> None:
    name = card.id.replace("/", "_").replace("-", "_")
    stored = json.loads((shared / "parity" / "state_dicts_2026" / f"{name}.json").read_text())
    wanted = {key: (tuple(shape), dtype) for key, shape, dtype in stored["state_dict"]}
    with torch.device("meta"):
        network = NETWORKS[card.id]()
        state = {key: torch.empty(shape, dtype=getattr(torch, dtype)) for key, (shape, dtype) in wanted.items()}
    found = {key: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in network.state_dict().items()}
    assert found == wanted
    assert identify(state) == card.id
    network.load_state_dict(state, assign=True)  # strict
    assert sum(p.numel() for p in network.parameters()) == card.n_parameters == stored["n_params"]


def saved(folder: Path, state: Any) -> Path:
    """A checkpoint file of it."""
    torch.save(state, folder / "file.pth")
    return folder / "file.pth"


@pytest.fixture(scope="module")
def state() -> State:
    return dict(small_samhq().state_dict())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`NETWORKS` with the small HQ-SAM in place of ViT-B."""
    monkeypatch.setitem(checkpoints._WIDTHS, 16, "vit-b")
    return {**NETWORKS, "samhq/vit-b": small_samhq}


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model": state}])
def test_a_state_dict_is_loaded_as_it_is(tmp_path: Path, small: Any, state: State, wrap: Any) -> None:
    network = load_sam("samhq/vit-b", saved(tmp_path, wrap(state)), small)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_a_missing_or_foreign_entry_is_named(tmp_path: Path, small: Any, state: State) -> None:
    missing = {key: value for key, value in state.items() if key != "mask_decoder.hf_mlp.layers.2.bias"}
    with pytest.raises(WeightsError, match=r"does not fit samhq/vit-b: .*mask_decoder\.hf_mlp\.layers\.2\.bias"):
        load_sam("samhq/vit-b", saved(tmp_path, missing), small)
    with pytest.raises(WeightsError, match=r"does not fit samhq/vit-b: .*mask_decoder\.more"):
        load_sam("samhq/vit-b", saved(tmp_path, {**state, "mask_decoder.more": torch.zeros(1)}), small)


HQ = {"mask_decoder.hf_token.weight": torch.zeros(1, 256)}


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ({**HQ, "image_encoder.pos_embed": torch.zeros(1, 64, 64, 1024)}, "samhq/vit-l"),
        ({**HQ, "image_encoder.pos_embed": torch.zeros(1, 64, 64, 1280)}, "samhq/vit-h"),
        ({**HQ, "image_encoder.patch_embed.seq.0.c.weight": torch.zeros(32, 3, 3, 3)}, "samhq/tiny"),
        ({"image_encoder.pos_embed": torch.zeros(1, 64, 64, 768)}, "sam/vit-b"),
    ],
)
def test_the_weights_of_another_model_are_named(tmp_path: Path, state: State, found: str) -> None:
    with pytest.raises(WeightsError, match=f"has the weights of {found}, not of samhq/vit-b; use --model {found}"):
        load_sam("samhq/vit-b", saved(tmp_path, state), NETWORKS)


def test_hq_weights_are_named_where_sams_are_expected(tmp_path: Path) -> None:
    file = saved(tmp_path, {**HQ, "image_encoder.pos_embed": torch.zeros(1, 64, 64, 768)})
    with pytest.raises(WeightsError, match="has the weights of samhq/vit-b, not of sam/vit-b; use --model samhq/vit-b"):
        load_sam("sam/vit-b", file)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"image_encoder.trunk.pos_embed": torch.zeros(1, 144, 7, 7)}, "is of SAM 2 or HQ-SAM 2, other networks"),
        ({"vision_encoder.pos_embed": torch.zeros(1, 64, 64, 768)}, "has the names of transformers"),
        ({"backbone.weight": torch.zeros(3)}, "is not a SAM checkpoint"),
    ],
)
def test_what_is_no_sam_is_said_to_be_none(tmp_path: Path, state: State, said: str) -> None:
    with pytest.raises(WeightsError, match=rf"{said}.*; give a file of samhq/vit-b"):
        load_sam("samhq/vit-b", saved(tmp_path, state), NETWORKS)
