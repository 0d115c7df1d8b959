"""SimpleClick keeps what the standard format promises: with synthetic weights, and its cards as they are."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.protocol import Model
from iiszoo.testing import checks, fill, parametrize_checks
from iiszoo_simpleclick.cards import CARDS
from iiszoo_simpleclick.network import NETWORKS

MODEL = "simpleclick/xtiny"


def synthetic(device: str = "cpu") -> Model:
    """As its loader makes it, of a file with synthetic weights."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "synthetic.pth"
        torch.save(fill(NETWORKS[MODEL]()).state_dict(), file)
        return load_model(MODEL, checkpoint=file, device=device)


@pytest.mark.slow
@parametrize_checks(synthetic)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_cards(card: Any) -> None:
    """Without the weights what is checked is card, plugin and loader."""
    assert [name for name, check in checks(card.id) if check() is None]
