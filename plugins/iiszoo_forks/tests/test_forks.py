"""The cards, without their weights; the clones' networks and predictors, where git finds a copy of the repositories."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from iiszoo import load_model
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.models.synthetic_weights import about, normal
from iiszoo.protocol import Model
from iiszoo.testing import checks, load_synthetic, parametrize_checks
from iiszoo.upstream import load, verify
from iiszoo_forks import cdnet, emcclick, gpcis

CARDS = (*cdnet.CARDS, *emcclick.CARDS, *gpcis.CARDS)
FIRST = (cdnet.CARDS[0], emcclick.CARDS[0], gpcis.CARDS[0])
Cloned = Callable[[ModelCard], Any]

OWN = {
    "scale": about(0.05),
    "omega": normal(0.25),
    "omega_var": about(0.025),
    "logsigma2": about(1),
    "weights": normal(0.1),
}
"""How GPCIS's own entries are drawn."""

by_id = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)


def family(card: ModelCard) -> Any:
    return {"cdnet": cdnet, "emcclick": emcclick, "gpcis": gpcis}[card.family]


@by_id
def test_cards(card: ModelCard) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]


def test_listing_imports_nothing_heavy(iiszoo: Callable[..., CompletedProcess[str]]) -> None:
    done = iiszoo(
        program="import sys; from iiszoo.registry import registry; "
        "print([registry().models.resolve(name).id for name in ('cdnet', 'emcclick', 'gpcis')], "
        "[name for name in ('torch', 'numpy', 'einops', 'timm') if name in sys.modules])"
    )
    assert done.stdout.strip() == f"{[card.id for card in FIRST]} []", done.stderr


@by_id
def test_an_unknown_preset_is_named_before_anything_is_fetched(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    with pytest.raises(BadOption, match="option preset=best is unknown; presets: default, davis"):
        load_model(f"{card.id}?preset=best")


@by_id
def test_the_clones_network_has_the_cards_size(card: ModelCard, cloned: Cloned) -> None:
    network = family(card).build(card, cloned(card))
    assert sum(p.numel() for p in network.parameters()) == card.n_parameters


@pytest.mark.parametrize("card", cdnet.CARDS, ids=lambda card: card.id)
def test_cdnets_keys_shapes_and_types(card: ModelCard, cloned: Cloned, shared: Path) -> None:
    state = cdnet.build(card, cloned(card)).state_dict()
    stored = json.loads((shared / "parity" / "state_dicts" / "cdnet_r34.json").read_text())
    wanted = {key: (tuple(shape), dtype) for key, shape, dtype in stored["state_dict"]}
    assert {key: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for key, t in state.items()} == wanted


@pytest.mark.slow
@pytest.mark.parametrize("card", FIRST, ids=lambda card: card.id)
def test_sessions_equal_the_clones_own_click_by_click(card: ModelCard, cloned: Cloned) -> None:
    cloned(card)
    found = verify(card.id, synthetic=True, samples=1, clicks=4)
    assert found.interactions == 4
    assert (found.largest_difference, found.unequal_masks, found.unequal_rois) == (0, 0, 0)
    assert found.lowest < 0.5 < found.highest


@cache
def synthetic_gpcis(device: str = "cpu") -> Model:
    """GPCIS with its smallest input and synthetic weights; cloned and loaded once for all checks."""
    card = gpcis.CARDS[0]
    assert card.upstream is not None
    network = gpcis.build(card, load(card.upstream))
    return load_synthetic(f"{card.id}?preset=sbd", network, device, own=OWN)


@pytest.mark.slow
@parametrize_checks(synthetic_gpcis)
def test_conformance(check, cloned):
    cloned(gpcis.CARDS[0])
    check()
