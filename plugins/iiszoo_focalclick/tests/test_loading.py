"""Loading by id: the errors for a wrong option or file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.errors import BadOption, WeightsError
from iiszoo.object_path import load_object
from iiszoo_focalclick.cards import CARDS
from iiszoo_focalclick.networks import NETWORKS

B0 = "focalclick/segformerb0-s2"


def empty(model: str) -> Any:
    with torch.device("meta"):
        return NETWORKS[model]()


@pytest.fixture(scope="module")
def b0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the official form with random weights."""
    file = tmp_path_factory.mktemp("weights") / "b0.pth"
    state = {name: torch.rand(value.shape).to(value.dtype) for name, value in empty(B0).state_dict().items()}
    torch.save({"state_dict": state, "config": {}}, file)
    return file


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_true(card: Any) -> None:
    assert callable(load_object(card.upstream_loader))
    assert card.threshold == 0.5
    assert card.prompts == ("clicks", "mask")
    assert card.weights[0].urls or "drive.google.com" in card.weights[0].page
    assert card.n_parameters == sum(value.numel() for value in empty(card.id).parameters())


def test_every_model_has_a_network_and_every_network_a_model() -> None:
    assert {card.id for card in CARDS} == NETWORKS.keys()


def test_options_set_the_predictor(b0: Path) -> None:
    model: Any = load_model(B0, checkpoint=b0).function
    assert (model.side, model.merge, model.threshold) == (256, "published", 0.5)
    model = load_model(f"{B0}?size=384&progressive_merge=fixed", checkpoint=b0).function
    assert (model.side, model.merge) == (384, "fixed")
    assert not model.networks.network.coarse.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?size=100", "size=100 is not a valid crop size; give a multiple of 32"),
        ("?size=big", "option 'size' must be a whole number, not 'big'"),
        ("?size=0", "size=0 is not a valid crop size"),
        ("?progressive_merge=often", "often"),
        ("?flip=true", "has no option 'flip'; it has size, progressive_merge"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_fetched(
    options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(f"focalclick{options}")


def test_the_file_of_another_backbone_is_recognised(b0: Path) -> None:
    with pytest.raises(WeightsError, match="has the weights of focalclick/segformerb0-s1 or focalclick/segformerb0-s2"):
        load_model("focalclick/segformerb3-s2", checkpoint=b0)
