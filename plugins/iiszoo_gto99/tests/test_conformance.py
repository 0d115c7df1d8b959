"""GTO99 conforms to the standard format: with synthetic weights, and its card without weights."""

from __future__ import annotations

from typing import Any

import pytest

from iiszoo.protocol import Model
from iiszoo.testing import checks, load_synthetic, parametrize_checks
from iiszoo_gto99.cards import CARD
from iiszoo_gto99.network import Network


def synthetic(device: str = "cpu", precision: str = "float32") -> Model:
    return load_synthetic(f"gto99/resnet50?precision={precision}", Network(), device, conv_gain=1.6)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


def test_card() -> None:
    """Without weights, the kit checks card, plugin and loader."""
    assert [name for name, check in checks(CARD.id) if check() is None]
