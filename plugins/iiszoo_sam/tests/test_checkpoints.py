"""Identifying files, and that the networks have every entry of the official files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sam import small_sam

from iiszoo.errors import WeightsError
from iiszoo_sam import checkpoints
from iiszoo_sam.cards import CARDS
from iiszoo_sam.checkpoints import NETWORKS, identify, load_sam


def entries(network: torch.nn.Module) -> dict[str, tuple[tuple[int, ...], str]]:
    return {key: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in network.state_dict().items()}


def official(shared: Path, variant: str) -> dict[str, tuple[tuple[int, ...], str]]:
    stored = json.loads((shared / "parity" / "state_dicts" / f"sam_vit_{variant}.json").read_text())
    return {key: (tuple(shape), dtype) for key, shape, dtype in stored["state_dict"]}


@pytest.mark.parametrize(("variant", "n"), [("b", 314), ("l", 482), ("h", 594)])
def test_the_official_keys_shapes_and_types(shared: Path, variant: str, n: int) -> None:
    wanted = official(shared, variant)
    assert len(wanted) == n
    with torch.device("meta"):
        network = NETWORKS[f"sam/vit-{variant}"]()
        assert entries(network) == wanted
        state = {key: torch.empty(shape) for key, (shape, _) in wanted.items()}
    assert identify(state) == f"sam/vit-{variant}"
    network.load_state_dict(state, assign=True)  # strict


def test_cards_state_the_true_number_of_parameters() -> None:
    for card in CARDS:
        if card.id in NETWORKS:
            with torch.device("meta"):
                network = NETWORKS[card.id]()
            assert sum(p.numel() for p in network.parameters()) == card.n_parameters, card.id


@pytest.fixture
def save(tmp_path: Path) -> Any:
    """`save(state)`: a checkpoint file of it."""

    def save(state: Any) -> Path:
        torch.save(state, tmp_path / "file.pth")
        return tmp_path / "file.pth"

    return save


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """The state dict of the small SAM, registered as a variant."""
    return dict(small_sam().state_dict())


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "sam/vit-b", small_sam)
    monkeypatch.setitem(checkpoints._WIDTHS, 16, "vit-b")


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"model_state_dict": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"sam.model.{name}": value for name, value in state.items()},
    ],
)
def test_a_state_dict_is_loaded_as_it_is(save: Any, state: dict[str, torch.Tensor], wrap: Any) -> None:
    network = load_sam("sam/vit-b", save(wrap(state)))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.usefixtures("_small")
def test_half_precision_becomes_float32(save: Any, state: dict[str, torch.Tensor]) -> None:
    network = load_sam("sam/vit-b", save({key: value.half() for key, value in state.items()}))
    assert {t.dtype for t in network.state_dict().values()} == {torch.float32}


@pytest.mark.usefixtures("_small")
def test_a_missing_or_foreign_entry_is_named(save: Any, state: dict[str, torch.Tensor]) -> None:
    missing = {key: value for key, value in state.items() if key != "mask_decoder.iou_token.weight"}
    with pytest.raises(WeightsError, match=r"does not fit sam/vit-b: .*mask_decoder\.iou_token\.weight"):
        load_sam("sam/vit-b", save(missing))
    with pytest.raises(WeightsError, match=r"does not fit sam/vit-b: .*mask_decoder\.more"):
        load_sam("sam/vit-b", save({**state, "mask_decoder.more": torch.zeros(1)}))


@pytest.mark.parametrize(
    ("key", "shape", "variant"),
    [
        ("image_encoder.pos_embed", (1, 64, 64, 1024), "sam/vit-l"),
        ("image_encoder.pos_embed", (1, 64, 64, 1280), "sam/vit-h"),
        ("image_encoder.patch_embed.seq.0.c.weight", (32, 3, 3, 3), "sam/mobile"),
    ],
)
def test_another_variants_checkpoint_is_named(save: Any, key: str, shape: tuple[int, ...], variant: str) -> None:
    with pytest.raises(WeightsError, match=f"has the weights of {variant}, not of sam/vit-b; use --model {variant}"):
        load_sam("sam/vit-b", save({key: torch.zeros(shape)}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"backbone.weight": torch.zeros(3)}, "is not a SAM checkpoint"),
        ([torch.zeros(3)], "has no state dict"),
        ({"model": {}}, "has no state dict"),
        (torch.nn.Linear(2, 3), "is a whole network"),
    ],
)
def test_what_is_no_sam_is_said_to_be_none(save: Any, content: Any, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        load_sam("sam/vit-b", save(content))


def test_a_truncated_file_is_said_to_be_one(save: Any, state: dict[str, torch.Tensor]) -> None:
    file = save(state)
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(WeightsError, match="truncated"):
        load_sam("sam/vit-b", file)
