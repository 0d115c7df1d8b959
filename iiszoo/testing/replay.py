"""Replaying a session of given clicks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from iiszoo.protocol import Clicks, Model, Outputs, State


def replay(
    model: Model, x: Tensor, clicks: Iterable[tuple[int, int, bool]], start: Tensor | None = None
) -> Iterator[tuple[Outputs, State]]:
    """Give the clicks (row, col, positive) one per interaction; yields the model's output and state after each.

    `x` float32 (1, 3, H, W); `start` float32 (1, 1, H, W): a mask to start from.
    """
    z = model.init_z(x)
    if start is not None:
        z = {**z, "prev_output": start}
    pcs: Clicks = []
    ncs: Clicks = []
    for row, col, positive in clicks:
        pcs, ncs = [*pcs, [[(row, col)] if positive else []]], [*ncs, [[] if positive else [(row, col)]]]
        with torch.no_grad():
            y, z = model(x, z, pcs, ncs)
        yield y, z
