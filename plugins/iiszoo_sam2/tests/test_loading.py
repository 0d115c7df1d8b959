"""Loading by id: the errors if something is missing, and the cost of only listing the plugin."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from iiszoo import load_model
from iiszoo.errors import BadOption, PluginError, WeightsError
from iiszoo.registry import registry
from iiszoo_sam2 import loading
from iiszoo_sam2.cards import CARDS, DEFAULT

Run = Callable[..., "CompletedProcess[str]"]


def test_listing_imports_nothing_heavy(iiszoo: Run) -> None:
    done = iiszoo(
        program="import sys; from iiszoo.registry import registry; models = registry().models; "
        "print(models.resolve('sam2').id, models.resolve('edgetam').id, "
        "[name for name in ('torch', 'numpy', 'transformers', 'timm') if name in sys.modules])"
    )
    assert done.stdout.strip() == f"{DEFAULT} edgetam/edgetam []", done.stderr


def test_each_family_has_an_entry_of_its_own() -> None:
    models = registry().models
    assert {models.plugin(card).name for card in models.cards() if card.family == "sam2"} == {"sam2"}
    edgetam = models.plugin(models.resolve("edgetam"))
    assert (edgetam.name, edgetam.distribution) == ("edgetam", "iiszoo-sam2")


def test_every_card_is_complete() -> None:
    for card in CARDS:
        assert (card.licence, card.weights_licence) == ("Apache-2.0", "Apache-2.0")
        assert card.summary
        assert card.paper
        assert card.citation
        assert all(file.urls and file.sha256 and file.size for file in card.weights)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_offline_the_path_and_the_command_are_told(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(WeightsError) as raised:
        load_model(card.id)
    assert f"`iiszoo weights add {card.id} FILE" in str(raised.value)
    assert str(Path("weights") / card.family / card.weights[0].filename) in str(raised.value)


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("sam2?rule=best", "option rule=best is unknown"),  # nothing was fetched
        ("sam2/large?speed=high", "has no option 'speed'; it has rule, runtime, precision, cuda_graphs"),
        ("edgetam?precision=fp8", "option precision=fp8 is unknown"),
        ("edgetam?cuda_graphs=true", "cuda_graphs=true needs a CUDA device"),
    ],
)
def test_what_cannot_be_is_one_sentence(id: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match=message):
        load_model(id)


@pytest.mark.parametrize("id", ["sam2/tiny", "edgetam/edgetam"])
@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("4.57.6", r"needs transformers 5, and 4\.57\.6 is installed; run `pip install \"iiszoo\[sam2\]\"`"),
        (None, r"needs the package transformers, version 5, which is not installed; run `pip install"),
    ],
)
def test_without_transformers_5_it_is_said_what_to_install(
    id: str, found: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(loading, "version", version)
    with pytest.raises(PluginError, match=message):
        load_model(id)
