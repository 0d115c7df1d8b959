from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for small_sam2: pytest's importlib mode adds no test directory


@pytest.fixture(scope="session")
def network() -> Any:
    """The small SAM 2; to be read only."""
    from small_sam2 import small_sam2

    return small_sam2()


@pytest.fixture(scope="session")
def parts(network: Any) -> tuple[Any, Any]:
    """Its encoder and decoder."""
    from iiszoo_sam2.parts import Decoder, Encoder

    return Encoder(network), Decoder(network)
