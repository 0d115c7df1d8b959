"""RITM conforms to the standard format: with synthetic weights, and its cards without weights."""

from __future__ import annotations

from typing import Any

import pytest

from iiszoo.models.synthetic_weights import about
from iiszoo.protocol import Model
from iiszoo.testing import checks, load_synthetic, parametrize_checks
from iiszoo_ritm.cards import CARDS
from iiszoo_ritm.network import NETWORKS


def synthetic(device: str = "cpu", precision: str = "float32") -> Model:
    return load_synthetic(f"ritm/h18s?precision={precision}", NETWORKS["ritm/h18s"](), device, own={"scale": about(1)})


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
