"""Deterministic synthetic weights: run, time and compare a network without its checkpoint.

Each entry of a state dict is drawn from its own name and shape, so the same network gets the same weights in any
implementation, in any order, on any machine: 64 bits of the name's SHA-256 seed numpy's Philox generator, which draws
standard normal numbers in float64; these are scaled by the kind of entry and finally rounded to float32. Nothing is
trained: the output is meaningless, except that two implementations of a network must agree.

| entry                                  | value, z being its standard normal numbers              |
|----------------------------------------|---------------------------------------------------------|
| integer type                           | 0                                                       |
| `running_mean`, `running_var`          | 0.1 z, 1 + 0.1 abs(z)                                   |
| `weight` with one axis (a norm's)      | 1 + 0.1 z                                               |
| `weight` with more axes (a layer's)    | z / sqrt(fan in), times `conv_gain` for a convolution   |
| `bias`                                 | 0.05 z                                                  |
| names of the network's own             | as defined in `own`                                     |

Names of the last kind are specific to a family, so the caller passes them:

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
"""Maps an entry's standard normal numbers, float64 of its shape, to its values."""
Own = Mapping[str, Draw | None]
"""How entries are drawn, by the end of their names (whole parts, `*` matches anything); None leaves them unchanged."""


def normal(deviation: float) -> Draw:
    """Around 0, as embeddings and biases are."""
    return lambda z: deviation * z


def about(value: float) -> Draw:
    """Within about ten percent of `value`, as learned scales are."""
    return lambda z: value * (1 + 0.1 * z)


def fill(network: nn.Module, conv_gain: float = 1.0, own: Own | None = None) -> nn.Module:
    """Fill all entries of the network that `own` does not leave out with synthetic weights, in place; returns it.

    `conv_gain`, `own`, KeyError: as for `synthetic_weights`.
    """
    network.load_state_dict(synthetic_weights(network.state_dict(), conv_gain, own), strict=False)
    return network


def synthetic_weights(state: Mapping[str, Tensor], conv_gain: float = 1.0, own: Own | None = None) -> dict[str, Tensor]:
    """Weights by name, float32 of the entry's shape, int64 zeros for counters; only names, shapes and types matter.

    `conv_gain` scales the weights of convolutions; `own` defines how entries with names of the network's own are drawn,
    and takes precedence over torch's names. KeyError for a name in neither.
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
