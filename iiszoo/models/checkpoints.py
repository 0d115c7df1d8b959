"""A family's checkpoints: read, told apart, and put into a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from iiszoo import assets
from iiszoo.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)


def load_network(
    model: str, file: str | Path, networks: Mapping[str, Callable[[], Network]], unused: frozenset[str] = frozenset()
) -> Network:
    """The network of a model id with the weights of `file`, strictly: every entry, and no other; for inference.

    `networks` builds the networks of the family, by model id. `file` holds a state dict, or one under `"state_dict"`,
    as the files of RITM's descendants do. Entries called as in `unused` may be there and are passed over. The weights
    are assigned, not copied: a network takes its memory once.

    Raises `WeightsError`, which says so where the file is another model's of the family or of none.
    """
    state = assets.load_checkpoint(file)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"checkpoint {file} holds no state dict, names with tensors; give a file of {model}")
    state = {name: value for name, value in state.items() if name not in unused}
    network = _empty(networks[model])
    complaint = _complaint(network, state)
    if complaint:
        others = " or ".join(other for other, build in networks.items() if not _complaint(_empty(build), state))
        if others:
            raise WeightsError(f"checkpoint {file} holds the weights of {others}, not of {model}; use --model {others}")
        family = model.partition("/")[0]
        raise WeightsError(f"checkpoint {file} is of none of {family}'s models: {complaint}; give a file of {model}")
    network.load_state_dict(state, assign=True)
    return network.float().eval().requires_grad_(False)


def _empty(build: Callable[[], Network]) -> Network:
    """A network without memory behind its weights."""
    with torch.device("meta"):
        return build()


def _complaint(network: nn.Module, state: dict[str, Any]) -> str:
    """What is wrong with a state dict, for `network`; "" where names and shapes are its own."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing, foreign = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    for kind, names in (("has no", missing), ("has an unknown", foreign)):
        if names:
            return f"it {kind} {min(names)}" + (f", and {len(names) - 1} more" if len(names) > 1 else "")
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            return f"its {name} has the shape {tuple(state[name].shape)}, not {shape}"
    return ""
