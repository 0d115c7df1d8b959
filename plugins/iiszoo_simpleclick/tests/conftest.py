from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo_simpleclick.network import UNUSED

FOLDERS = {"simpleclick": "state_dicts", "cfricl": "state_dicts_2026"}


@pytest.fixture(scope="session")
def official(shared: Path) -> Callable[[str], tuple[dict[str, Any], dict[str, tuple[int, ...]]]]:
    """Upstream's arguments for a network, and the keys and shapes of its checkpoint; by the model's id."""

    def read(model: str) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
        family, _, name = model.partition("/")
        stored = json.loads(
            (shared / "parity" / FOLDERS[family] / f"{family}_vit_{name.removeprefix('vit-')}.json").read_text()
        )
        return stored["kwargs"], {key: tuple(shape) for key, shape, _ in stored["state_dict"]}

    return read


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Callable[[str], Any]:
    """Upstream's run of a network with synthetic weights: the fixture file, its meta, its state dict; by file name."""
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    def read(name: str) -> tuple[Any, dict[str, Any], dict[str, torch.Tensor]]:
        file = np.load(shared / "parity" / f"{name}.npz")
        weights = recipe.from_parity(file).items()
        weights = {key: torch.from_numpy(np.asarray(value)) for key, value in weights if key not in UNUSED}
        return file, json.loads(bytes(file["meta_json"])), weights

    return read
