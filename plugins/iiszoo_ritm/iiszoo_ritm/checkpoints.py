"""RITM's checkpoints: read, told apart, and put into a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iiszoo import assets
from iiszoo.errors import WeightsError
from iiszoo_ritm.network import RitmNetwork


class Configuration(NamedTuple):
    """What tells the networks of the family apart; see `RitmNetwork`."""

    width: int
    ocr_width: int
    small: bool
    with_prev_mask: bool


_H18 = Configuration(18, 64, False, True)
CONFIGURATIONS = {
    "ritm/h18s": Configuration(18, 48, True, True),
    "ritm/h18": _H18,
    "ritm/h32": Configuration(32, 128, False, True),
    "ritm/h18-sbd": _H18,
    "ritm/h18-baseline": _H18._replace(with_prev_mask=False),
}
"""By model id. `ritm/h18` and `ritm/h18-sbd` differ in their training only."""


def load_network(model: str, file: str | Path) -> RitmNetwork:
    """The network of a model id with the weights of `file`, strictly: every entry, and no other; for inference.

    `file` holds a state dict, or, as the official ones, one under `"state_dict"`. Raises `WeightsError`, which says so
    where the file is another model's or none of RITM's.
    """
    state = assets.load_checkpoint(file)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    network = _empty(CONFIGURATIONS[model])
    if not _fits(network, state):
        others = " or ".join(
            name for name, configuration in CONFIGURATIONS.items() if _fits(_empty(configuration), state)
        )
        if others:
            raise WeightsError(f"checkpoint {file} holds the weights of {others}, not of {model}; use --model {others}")
        raise WeightsError(
            f"checkpoint {file} is of none of RITM's models: its entries are not those of an HRNet with OCR head and "
            f"click maps; give a file of {model}"
        )
    network.load_state_dict(state, assign=True)
    return network.float().eval()


def _empty(configuration: Configuration) -> RitmNetwork:
    """A network without memory behind its weights: they are assigned, not copied."""
    with torch.device("meta"):
        return RitmNetwork(*configuration)


def _fits(network: RitmNetwork, state: Any) -> bool:
    """Whether the state dict has the network's very keys and shapes."""
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        return False
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    return {name: value.shape for name, value in state.items()} == wanted
