from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iiszoo_focalclick.networks import NETWORKS, FocalClick


def _model_of(config: str) -> str:
    """The model id of a shared fixture: focalclick_segformerB0_S2 -> focalclick/segformerb0-s2."""
    return "focalclick/" + config.removeprefix("focalclick_").replace("_", "-").lower()


@pytest.fixture(scope="session")
def model_of() -> Callable[[str], str]:
    return _model_of


@pytest.fixture(scope="session")
def synthetic(shared: Path) -> Any:
    """The recipe for synthetic weights from the names of a state dict's entries."""
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    return recipe


@pytest.fixture(scope="session")
def stored(shared: Path) -> Callable[[str], tuple[Any, Any]]:
    """(arrays, meta) of one of upstream's recorded runs."""

    def load(name: str) -> tuple[Any, Any]:
        arrays = np.load(shared / "parity" / f"{name}.npz")
        return arrays, json.loads(bytes(arrays["meta_json"]).decode())

    return load


@pytest.fixture(scope="session")
def network(synthetic: Any, stored: Any) -> Callable[[str], FocalClick]:
    """The network of one of upstream's recorded runs, with its synthetic weights, in evaluation mode."""

    def build(name: str) -> FocalClick:
        arrays, meta = stored(name)
        built = NETWORKS[_model_of(meta["config"])]().eval()
        built.load_state_dict({key: tensor(value) for key, value in synthetic.from_parity(arrays).items()})
        return built

    return build


def tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values))
