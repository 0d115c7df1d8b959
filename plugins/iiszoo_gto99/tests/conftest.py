from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from iiszoo.models.synthetic_weights import synthetic_weights
from iiszoo_gto99.network import Network


@pytest.fixture(autouse=True)
def _no_grad() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def state() -> dict[str, Tensor]:
    """Synthetic weights of the published configuration, with the last bias such that alpha is about 0.5."""
    with torch.device("meta"):
        empty = Network().state_dict()
    found = synthetic_weights(empty, conv_gain=1.6)  # so large that the user encoder does not lose the clicks
    found["decoder.conv_up4.4.bias"].fill_(1.4)
    return found


@pytest.fixture(scope="session")
def checkpoint(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint file of these weights."""
    file = tmp_path_factory.mktemp("gto99") / "synthetic.pth"
    torch.save(state, file)
    return file


@pytest.fixture(scope="session")
def network(checkpoint: Path) -> Network:
    """The network as the loader returns it: standardised once, in eval mode."""
    from iiszoo_gto99.checkpoints import load_gto99

    return load_gto99(checkpoint)
