"""SAM 2.1 and EdgeTAM conform to the standard format: with synthetic weights, and their cards without weights."""

from __future__ import annotations

from typing import Any

import pytest
from small_sam2 import small_sam2

from iiszoo.models.compute import Compute
from iiszoo.protocol import Model, as_model
from iiszoo.registry import registry
from iiszoo.testing import checks, parametrize_checks
from iiszoo_sam2.cards import CARDS
from iiszoo_sam2.model import Sam2
from iiszoo_sam2.parts import ENCODER, Decoder, Encoder


def synthetic(device: str = "cpu", precision: str = "float32") -> Model:
    """The card of `sam2/tiny` with a narrower encoder, with synthetic weights."""
    network = small_sam2().to(device)
    encoder = Compute(device, precision=precision).network(Encoder(network), ENCODER)
    card = registry().models.resolve("sam2/tiny")
    return as_model(Sam2(encoder, Decoder(network)), card=card, device=device)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
