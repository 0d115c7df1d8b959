"""CFR-ICL by id: its options, its errors, and that it conforms to the standard format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.errors import BadOption, WeightsError
from iiszoo.models.click_model import ClickModel, OnDisks
from iiszoo.models.synthetic_weights import fill, normal
from iiszoo.models.zoom import Zoom
from iiszoo.object_path import load_object
from iiszoo.protocol import Model, as_model
from iiszoo.registry import registry
from iiszoo.testing import checks, parametrize_checks
from iiszoo_simpleclick import loading, network
from iiszoo_simpleclick.cfricl.cards import CARDS
from iiszoo_simpleclick.cfricl.cascade import Cascade
from iiszoo_simpleclick.network import NETWORKS


def synthetic(device: str = "cpu") -> Model:
    """The card of ViT-B with SimpleClick's smallest network on small crops, and the authors' cascade."""
    small: Any = fill(NETWORKS["simpleclick/xtiny"](), own={"pos_embed": normal(0.02)}).to(device).eval()
    model = ClickModel(OnDisks(small.requires_grad_(False)), Zoom((224, 224), skip_clicks=-1))
    return as_model(Cascade(model, 4, adaptive=True), card=registry().models.resolve("cfricl/vit-b"), device=device)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_true(card: Any) -> None:
    assert callable(load_object(card.upstream_loader))
    with torch.device("meta"):
        assert card.n_parameters == sum(value.numel() for value in NETWORKS[card.id]().parameters())


def test_the_card_says_how_the_parts_become_weights() -> None:
    card = registry().models.resolve("cfricl")
    assert card.id == "cfricl/vit-h"
    for said in (".7z.001", "7z x", "py7zr", "`iiszoo weights add cfricl/vit-h cocolvis_icl_vit_huge.pth`"):
        assert said in card.notes


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for cfricl/vit-b, whose network is SimpleClick's smallest here."""
    small = network.NETWORKS["simpleclick/xtiny"]
    monkeypatch.setitem(network.NETWORKS, "cfricl/vit-b", small)
    torch.save({"state_dict": small().state_dict(), "config": {}}, tmp_path / "own.pth")
    return tmp_path / "own.pth"


@pytest.mark.parametrize(
    ("options", "cascade", "target"),
    [
        ("", (4, 1, True), 448),
        ("?cf_n=1&acf=false", (1, 1, False), 448),
        ("?cf_n=2&cf_click=3&preset=davis&flip=false", (2, 3, True), 672),
    ],
)
def test_options_set_the_cascade_and_the_predictor(
    checkpoint: Path, options: str, cascade: tuple[int, int, bool], target: int
) -> None:
    model: Any = load_model(f"cfricl/vit-b{options}", checkpoint=checkpoint).function
    assert (model.steps, model.clicks, model.adaptive) == cascade
    assert model.model.zoom == Zoom((target, target), skip_clicks=-1)
    assert model.model.flip == ("flip=false" not in options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("cf_n=-1", "option cf_n=-1 is not a number of refinements; give 0 or more"),
        ("cf_click=-2", "option cf_click=-2 is not a number of clicks; give 0 or more"),
        ("cf_n=many", "option 'cf_n' must be a whole number, not 'many'"),
        ("acf=4", "option 'acf' must be true or false, not 4"),
        ("size=100", "do not fill one window"),
        ("cascade=2", "has no option 'cascade'; it has cf_n, cf_click, acf, preset"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_fetched(
    options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading.assets, "fetch", lambda card: pytest.fail("fetched"))
    with pytest.raises(BadOption, match=message):
        load_model(f"cfricl?{options}")


def test_the_file_of_the_other_size_is_recognised(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match=r"has the weights of cfricl/vit-b, not of cfricl/vit-h; use --model"):
        load_model("cfricl", checkpoint=checkpoint)


def test_a_part_of_the_archive_is_not_taken_for_weights(tmp_path: Path) -> None:
    from iiszoo import assets

    first, second = tmp_path / "first.7z.001", tmp_path / "second.7z.002"
    first.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    second.write_bytes(bytes(range(256)))
    card = registry().models.resolve("cfricl")
    for part, kind in ((first, "it is a 7z archive, not a PyTorch file"), (second, "of an unknown kind")):
        with pytest.raises(WeightsError, match=kind):
            assets.add(card, part)
