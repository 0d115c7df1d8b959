"""SegNext conforms to the standard format: with synthetic weights, and its cards without weights."""

from __future__ import annotations

from typing import Any

import pytest
from small_segnext import small_model

from iiszoo.protocol import Model, as_model
from iiszoo.registry import registry
from iiszoo.testing import checks, parametrize_checks
from iiszoo_segnext.cards import CARDS


def synthetic(device: str = "cpu") -> Model:
    """The card of vitb-sax1 with a narrow network."""
    return as_model(small_model(device), card=registry().models.resolve("segnext/vitb-sax1"), device=device)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
