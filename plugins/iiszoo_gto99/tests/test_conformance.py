"""GTO99 keeps what the standard format promises: with synthetic weights, and its card as it is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.protocol import Model
from iiszoo.testing import checks, fill, parametrize_checks
from iiszoo_gto99.cards import CARD
from iiszoo_gto99.network import Network


def synthetic(device: str = "cpu") -> Model:
    """As its loader makes it, of a file with synthetic weights."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "synthetic.pth"
        torch.save(fill(Network(), conv_gain=1.6).state_dict(), file)
        return load_model(CARD.id, checkpoint=file, device=device)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


def test_card() -> None:
    """Without the weights what is checked is card, plugin and loader."""
    assert [name for name, check in checks(CARD.id) if check() is None]
