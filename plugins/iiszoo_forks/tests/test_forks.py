"""The cards, without their weights; the clones' networks and predictors, where git finds a copy of the repositories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from iiszoo import load_model
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.models.synthetic_weights import about
from iiszoo.protocol import Model
from iiszoo.testing import checks, load_synthetic, parametrize_checks
from iiszoo.upstream import load, verify
from iiszoo_forks import cdnet, emcclick, gpcis

CARDS = (*cdnet.CARDS, *emcclick.CARDS, *gpcis.CARDS)
FIRST = (cdnet.CARDS[0], emcclick.CARDS[0], gpcis.CARDS[0])
Cloned = Callable[[ModelCard], Any]

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


def synthetic_emcclick(device: str = "cpu") -> Model:
    """EMC-Click with HRNet-18s, with synthetic weights."""
    card = emcclick.CARDS[0]
    assert card.upstream is not None
    own = {"scale": about(20), "in_proj_weight": lambda z: 0.1 * z, "in_proj_bias": lambda z: 0.05 * z}
    return load_synthetic(card.id, emcclick.build(card, load(card.upstream)), device, conv_gain=0.8, own=own)


@pytest.mark.slow
@parametrize_checks(synthetic_emcclick)
def test_conformance(check, cloned):
    cloned(emcclick.CARDS[0])
    check()
