from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for plain_rules: pytest's importlib mode adds no test directory


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of fixtures that are not part of the repository."""
    folder = Path(os.environ.get("IISZOO_SHARED", HERE.parents[1] / ".." / "shared")).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the shared fixtures, and there is no {folder}; IISZOO_SHARED can say where they are")
    return folder
