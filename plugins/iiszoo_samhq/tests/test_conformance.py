"""HQ-SAM conforms to the standard format: with synthetic weights, and its cards without weights."""

from __future__ import annotations

from typing import Any

import pytest
from small_samhq import small_samhq

from iiszoo.models.compute import Compute
from iiszoo.protocol import Model, as_model
from iiszoo.registry import registry
from iiszoo.testing import checks, parametrize_checks
from iiszoo_sam.model import Sam
from iiszoo_sam.torch_backend import TorchBackend
from iiszoo_samhq.cards import CARDS
from iiszoo_samhq.decoder import parts


def synthetic_samhq(device: str = "cpu", precision: str = "float32") -> Model:
    """The card of ViT-B with HQ-SAM's decoder and a one-block encoder, with synthetic weights."""
    backend = TorchBackend(*parts(small_samhq()), Compute(device, precision=precision))
    return as_model(Sam(backend), card=registry().models.resolve("samhq/vit-b"), device=device)


@pytest.mark.slow
@parametrize_checks(synthetic_samhq)
def test_conformance(check):
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
