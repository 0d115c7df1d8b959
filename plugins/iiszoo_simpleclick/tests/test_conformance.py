"""SimpleClick conforms to the standard format: with synthetic weights, and its cards without weights."""

from __future__ import annotations

from typing import Any

import pytest

from iiszoo.models.synthetic_weights import normal
from iiszoo.protocol import Model
from iiszoo.testing import checks, load_synthetic, parametrize_checks
from iiszoo_simpleclick.cards import CARDS
from iiszoo_simpleclick.network import NETWORKS


def synthetic(device: str = "cpu", precision: str = "float32") -> Model:
    name = "simpleclick/xtiny"
    return load_synthetic(f"{name}?precision={precision}", NETWORKS[name](), device, own={"pos_embed": normal(0.02)})


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
