from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for small_sam: pytest's importlib mode adds no test directory


@pytest.fixture(scope="session")
def backend() -> Any:
    """SAM with a one-block encoder and fixed synthetic weights: fast, with SAM's sizes everywhere else."""
    from small_sam import small_sam

    from iiszoo.models.compute import Compute
    from iiszoo_sam.decoder import parts
    from iiszoo_sam.torch_backend import TorchBackend

    return TorchBackend(*parts(small_sam()), Compute("cpu"))
