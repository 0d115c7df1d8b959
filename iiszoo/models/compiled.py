"""A network compiled by torch, for inputs of one size and any number of pictures.

torch compiles a network anew for each shape, which takes up to minutes. Batches are therefore filled up to 1, 2, 4, 8,
... pictures. On CUDA the kernels of a call are replayed as one graph, so that the GPU does not wait for launches.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Compiled:
    """`network`, compiled at its first call with 1, 2, 4, ... pictures. All inputs have the batch as leading axis."""

    def __init__(self, network: nn.Module) -> None:
        self._compiled = torch.compile(network, mode="reduce-overhead", dynamic=False)

    def __call__(self, *inputs: Tensor) -> Any:
        """The network's answer; a copy, since a graph writes all its answers to the same place."""
        n = inputs[0].shape[0]
        full = 1 << (n - 1).bit_length()
        return _first(self._compiled(*(_filled(values, full) for values in inputs)), n)


def _filled(values: Tensor, n: int) -> Tensor:
    """The batch, with its first picture repeated at the end until it has n."""
    missing = n - values.shape[0]
    return values if missing == 0 else torch.cat((values, values[:1].expand(missing, *values.shape[1:])))


def _first(answer: Any, n: int) -> Any:
    if isinstance(answer, Tensor):
        return answer[:n].clone()
    return type(answer)(_first(part, n) for part in answer)
