"""Loading by id: the errors for a wrong file or option."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import assets, load_model
from iiszoo.errors import BadOption, WeightsError
from iiszoo.models.click_model import ClickModel
from iiszoo.models.zoom import Zoom
from iiszoo.object_path import load_object
from iiszoo_ritm.cards import CARDS
from iiszoo_ritm.network import NETWORKS


@cache
def state_of(model: str) -> dict[str, Any]:
    """A state dict with the right names and shapes and random values."""
    with torch.device("meta"):
        empty = NETWORKS[model]().state_dict()
    torch.manual_seed(0)
    return {name: torch.rand(value.shape).to(value.dtype) for name, value in empty.items()}


@pytest.fixture(scope="module")
def h18s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the official form with random weights."""
    file = tmp_path_factory.mktemp("weights") / "h18s.pth"
    torch.save(
        {"state_dict": state_of("ritm/h18s"), "config": {"class": "isegm.model.is_hrnet_model.HRNetModel"}}, file
    )
    return file


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_true(card: Any) -> None:
    assert callable(load_object(card.upstream_loader))
    assert len(card.weights[0].urls) > 1
    assert card.threshold == 0.49
    with torch.device("meta"):
        network = NETWORKS[card.id]()
    assert ("mask" in card.prompts) == network.with_prev_mask
    assert card.n_parameters == sum(value.numel() for value in network.parameters())


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_state_dict_is_read_with_or_without_its_wrapping(h18s: Path, tmp_path: Path, wrapped: bool) -> None:
    file = h18s
    if not wrapped:
        file = tmp_path / "bare.pth"
        torch.save(state_of("ritm/h18s"), file)
    model = load_model("ritm", checkpoint=file)
    assert isinstance(model.function, ClickModel)
    network: Any = model.function.network
    assert not network.network.training
    for name, value in network.network.state_dict().items():
        assert torch.equal(value, state_of("ritm/h18s")[name])


@pytest.mark.parametrize(
    ("options", "zoom", "flip", "limit"),
    [
        ("", Zoom(400), True, None),
        ("?preset=davis", Zoom(600), True, None),
        ("?size=320&flip=false", Zoom(320), False, None),
        ("?preset=davis&size=384x512", Zoom((384, 512), skip_clicks=-1), True, None),
        ("?zoom=false&click_limit=8", None, True, 8),
    ],
)
def test_options_set_the_predictor(h18s: Path, options: str, zoom: Zoom | None, flip: bool, limit: int | None) -> None:
    model: Any = load_model(f"ritm/h18s{options}", checkpoint=h18s).function
    assert (model.zoom, model.flip, model.click_limit, model.with_prev_mask) == (zoom, flip, limit, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?preset=sbd", "preset=sbd is unknown; presets: default, davis"),
        ("?size=big", r"size=big is not a valid crop size; give pixels \(400\) or HEIGHTxWIDTH"),
        ("?size=0", "size=0 is not a valid crop size"),
        ("?size=400x", "size=400x is not a valid crop size"),
        ("?click_limit=0", "click_limit=0 is not a number of clicks"),
        ("?click_limit=1.5", "option 'click_limit' must be a whole number, not 1.5"),
        ("?flip=1", "'flip' must be true or false"),
        ("?brs=rgb", "has no option 'brs'; it has preset, size, zoom, flip, click_limit"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_is_fetched(
    options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(f"ritm/h18s{options}")


@pytest.mark.parametrize(
    ("given", "wanted", "named"),
    [
        ("ritm/h18s", "ritm/h18", "ritm/h18s"),
        ("ritm/h18", "ritm/h18s", "ritm/h18 or ritm/h18-sbd"),
        ("ritm/h18-baseline", "ritm/h18", "ritm/h18-baseline"),
        ("ritm/h18", "ritm/h18-baseline", "ritm/h18 or ritm/h18-sbd"),
    ],
)
def test_the_file_of_another_configuration_is_recognised(given: str, wanted: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"state_dict": state_of(given)}, file)
    with pytest.raises(WeightsError, match=f"has the weights of {named}, not of {wanted}; use --model {named}"):
        load_model(wanted, checkpoint=file)


def test_a_file_of_none_of_the_models_is_said_to_be_that(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    incomplete = dict(state_of("ritm/h18s"))
    incomplete.popitem()
    for content in ({"layer.weight": torch.zeros(3)}, incomplete, [1, 2], {"state_dict": {"epoch": 3}}):
        torch.save(content, file)
        with pytest.raises(
            WeightsError,
            match=r"weights\.pth (does not fit any ritm model: it has|has no state dict).* give a file of ritm/h32",
        ):
            load_model("ritm/h32", checkpoint=file)


def test_a_truncated_file_is_one_sentence(h18s: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.pth"
    file.write_bytes(h18s.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"cut\.pth is truncated or not a PyTorch checkpoint"):
        load_model("ritm/h18s", checkpoint=file)


def test_a_class_that_a_file_names_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_codebase.py").write_text("class Loss:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "odd.pth"
    torch.save({"state_dict": state_of("ritm/h18s"), "config": importlib.import_module("a_codebase").Loss()}, file)
    del sys.modules["a_codebase"]
    assert load_model("ritm/h18s", checkpoint=file)
    assert "a_codebase" not in sys.modules


def test_a_file_that_changed_after_it_was_added_is_refused_with_both_hashes(
    h18s: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = next(card for card in CARDS if card.id == "ritm/h18s")
    assets.add(card, h18s)
    stored = assets.path(card, card.weights[0])
    assert load_model("ritm/h18s")
    content = bytearray(stored.read_bytes())
    content[-1000] ^= 255
    stored.write_bytes(content)
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"sha256 is [0-9a-f]{64}, but [0-9a-f]{64} is pinned"):
        load_model("ritm/h18s")


def test_a_file_of_another_size_than_the_official_one_is_refused(h18s: Path) -> None:
    card = next(card for card in CARDS if card.id == "ritm/h18")
    with pytest.raises(WeightsError, match=r"40,?700,?707"):
        assets.add(card, h18s)
