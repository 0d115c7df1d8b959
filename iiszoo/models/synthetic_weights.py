"""Deterministic synthetic weights: a network can be run, timed and compared where its checkpoint is not at hand.

Each entry of a state dict is drawn from its own name and shape, so that the same network gets the same weights whoever
builds it, in whatever order, on any machine: 64 bits of the name's SHA-256 seed numpy's Philox generator, which draws
standard normal numbers in float64; these are scaled by the kind of entry, and rounded to float32 at the end. Nothing is
trained: what such a network answers means nothing, except that two implementations of it must agree.

| entry                                  | value, z being its standard normal numbers              |
|----------------------------------------|---------------------------------------------------------|
| of an integer type                     | 0                                                       |
| `running_mean`, `running_var`          | 0.1 z, 1 + 0.1 abs(z)                                   |
| `weight` of one axis (a norm's)        | 1 + 0.1 z                                               |
| `weight` of more (a layer's)           | z / sqrt(fan in), of a convolution times `conv_gain`    |
| `bias`                                 | 0.05 z                                                  |
| what a network names itself            | as `own` says                                           |

Names of the last kind are a family's own, so whoever makes weights for it passes them:

    >>> own = {"gamma": about(0.1), "tokens.*.weight": normal(0.5), "stencil": None}
    >>> state = {"block.gamma": torch.empty(2), "tokens.0.weight": torch.empty(1, 2), "stencil": torch.ones(3)}
    >>> {name: tuple(value.shape) for name, value in synthetic_weights(state, own=own).items()}
    {'block.gamma': (2,), 'tokens.0.weight': (1, 2)}
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Draw = Callable[[NDArray[Any]], NDArray[Any]]
"""From an entry's standard normal numbers, float64 of its shape, to its values."""
Own = Mapping[str, Draw | None]
"""By the end of an entry's name, whole parts of it, with `*` for anything: how it is drawn; None leaves it as it is."""


def normal(deviation: float) -> Draw:
    """Round 0, as embeddings and biases are."""
    return lambda z: deviation * z


def about(value: float) -> Draw:
    """Within some ten percent of `value`, as learnt scales are."""
    return lambda z: value * (1 + 0.1 * z)


def fill(network: nn.Module, conv_gain: float = 1.0, own: Own | None = None) -> nn.Module:
    """The network with synthetic weights in all entries that `own` does not leave out; it is changed, and returned.

    `conv_gain`, `own`, KeyError: as for `synthetic_weights`.
    """
    network.load_state_dict(synthetic_weights(network.state_dict(), conv_gain, own), strict=False)
    return network


def synthetic_weights(state: Mapping[str, Tensor], conv_gain: float = 1.0, own: Own | None = None) -> dict[str, Tensor]:
    """By name, float32 of the entry's shape, int64 zeros for counters; of `state` only names, shapes and types count.

    `conv_gain` scales the weights of convolutions; `own` says how entries are drawn that the network names itself, and
    goes before torch's own names. KeyError for a name of neither.
    """
    weights = {}
    for name, value in state.items():
        if not value.is_floating_point():
            weights[name] = torch.zeros(value.shape, dtype=torch.int64)
            continue
        draw = _draw(name, value.dim(), conv_gain, own or {})
        if draw is not None:
            weights[name] = torch.from_numpy(np.asarray(draw(_standard_normal(name, tuple(value.shape))), np.float32))
    return weights


def _standard_normal(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.Philox(seed)).standard_normal(shape)


def _draw(name: str, n_axes: int, conv_gain: float, own: Own) -> Draw | None:
    """How an entry is drawn, so that activations neither vanish nor explode."""
    for pattern, draw in own.items():
        if fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}"):
            return draw
    kind = name.rpartition(".")[2]
    if kind == "weight":
        return about(1) if n_axes == 1 else lambda z: _layer(z, conv_gain if n_axes == 4 else 1.0)
    draws: dict[str, Draw] = {
        "bias": normal(0.05),
        "running_mean": normal(0.1),
        "running_var": lambda z: 1 + 0.1 * np.abs(z),
    }
    return draws[kind] if kind in draws else _unknown(name)


def _layer(z: NDArray[Any], gain: float) -> NDArray[Any]:
    return np.asarray(gain * z / math.sqrt(math.prod(z.shape[1:])))


def _unknown(name: str) -> Draw:
    raise KeyError(name)
