from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iiszoo.cards import ModelCard
from iiszoo.errors import UpstreamError
from iiszoo.upstream import load

NEEDS = {"cdnet": ("termcolor",), "emcclick": ("timm",), "gpcis": ("einops", "opt_einsum")}
"""What a family's clone imports beside what iiszoo needs."""


@pytest.fixture
def cloned(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelCard], Any]:
    """`cloned(card)`: the card's clone; the test is skipped where it cannot be had offline."""

    def cloned(card: ModelCard) -> Any:
        for module in NEEDS[card.family]:
            pytest.importorskip(module, reason=f"the clone of {card.id} imports {module}")
        monkeypatch.setenv("IISZOO_OFFLINE", "1")
        assert card.upstream is not None
        try:
            return load(card.upstream)
        except UpstreamError as error:
            pytest.skip(f"needs a copy of {card.upstream.repo}, named by git's url.DIRECTORY.insteadOf: {error}")

    return cloned
