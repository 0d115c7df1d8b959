"""Loading by id: the errors for a wrong option or file."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.errors import BadOption, WeightsError
from iiszoo.models.zoom import Zoom
from iiszoo.object_path import load_object
from iiszoo_simpleclick.cards import CARDS
from iiszoo_simpleclick.cfricl.cards import CARDS as CFRICL
from iiszoo_simpleclick.network import NETWORKS, UNUSED

XTINY = "simpleclick/xtiny"


def empty(model: str) -> Any:
    with torch.device("meta"):
        return NETWORKS[model]()


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """A state dict with the names and shapes of xtiny's official file, unused entries included, and random values."""
    wanted = {name: value.shape for name, value in empty(XTINY).state_dict().items()}
    return {name: torch.rand(wanted.get(name, (1,))) for name in [*wanted, *sorted(UNUSED)]}


@pytest.fixture
def file(state: dict[str, Any], tmp_path: Path) -> Path:
    torch.save({"state_dict": state, "config": {}}, tmp_path / "xtiny.pth")
    return tmp_path / "xtiny.pth"


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_true(card: Any) -> None:
    assert callable(load_object(card.upstream_loader))
    assert card.threshold == 0.49
    assert card.ragged
    assert "drive.google.com" in card.weights[0].page
    assert card.n_parameters == sum(value.numel() for value in empty(card.id).parameters())


def test_every_model_has_a_network_and_every_network_a_model() -> None:
    assert {card.id for card in (*CARDS, *CFRICL)} == NETWORKS.keys()


@pytest.mark.parametrize(
    ("options", "target", "flip", "limit"),
    [
        ("", (448, 448), True, None),
        ("?preset=davis", (672, 672), True, None),
        ("?size=224&flip=false", (224, 224), False, None),
        ("?size=448x672&click_limit=4", (448, 672), True, 4),
    ],
)
def test_options_set_the_predictor(file: Path, options: str, target: Any, flip: bool, limit: int | None) -> None:
    model: Any = load_model(f"{XTINY}{options}", checkpoint=file).function
    assert (model.zoom, model.flip, model.click_limit) == (Zoom(target, skip_clicks=-1), flip, limit)
    assert not model.network.network.training


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit-b?preset=sbd", "preset=sbd is unknown; presets: default, davis"),
        ("vit-b?size=600", "cannot use an image of 600 x 600 pixels"),
        ("vit-b?size=100", "do not fill one window; use a multiple of 224"),
        ("vit-b?zoom=false", "has no option 'zoom'; it has preset, size, flip, click_limit"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_fetched(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(f"simpleclick/{name}")


def test_an_entry_that_is_not_known_as_unused_is_refused(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({**state, "backbone.cls_tokens": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"odd\.pth .* it has an unknown backbone\.cls_tokens"):
        load_model(XTINY, checkpoint=tmp_path / "odd.pth")


def test_the_file_of_another_size_is_recognised(file: Path) -> None:
    with pytest.raises(WeightsError, match="has the weights of simpleclick/xtiny or simpleclick/xtiny-sbd, not of"):
        load_model("simpleclick", checkpoint=file)


def test_the_losses_in_an_official_file_are_not_imported(
    state: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Official files have objects of `isegm.model.losses` in their config."""
    losses = tmp_path / "isegm" / "model" / "losses.py"
    losses.parent.mkdir(parents=True)
    losses.write_text("class NormalizedFocalLossSigmoid:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    loss = importlib.import_module("isegm.model.losses").NormalizedFocalLossSigmoid()
    torch.save({"state_dict": state, "config": {"params": {"loss_decode": loss}}}, tmp_path / "official.pth")
    for name in [name for name in sys.modules if name.partition(".")[0] == "isegm"]:
        del sys.modules[name]
    assert load_model(XTINY, checkpoint=tmp_path / "official.pth")
    assert "isegm" not in sys.modules
