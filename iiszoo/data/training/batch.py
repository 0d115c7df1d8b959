"""One training sample, and a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.data.training.views import View

N_DRAWS = 24
"""Uniform random numbers in each sample, for the further clicks."""

Points = list[tuple[int, int]]


class Item(NamedTuple):
    """One training sample. `draws` float64 (`N_DRAWS`,) in [0, 1)."""

    number: int
    view: View
    positives: Points
    negatives: Points
    draws: NDArray[np.float64]


@dataclass
class Batch:
    """The input of a training step. Tensors may be moved to a device; clicks are lists, one per element.

    `image` uint8 (B, h, w, 3), RGB; `target` bool (B, 1, h, w); `valid` bool (B, 1, h, w), or None if all pixels
    are valid; `draws` float64 (B, `N_DRAWS`); `number`: the number of the first sample.
    """

    number: int
    image: Tensor
    target: Tensor
    valid: Tensor | None
    positives: list[Points]
    negatives: list[Points]
    draws: Tensor

    def pin_memory(self) -> Batch:
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device | str, **options: Any) -> Batch:
        return self._each(lambda tensor: tensor.to(device, **options))

    def _each(self, moved: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            image=moved(self.image),
            target=moved(self.target),
            valid=None if self.valid is None else moved(self.valid),
        )


def collate(items: Sequence[Item]) -> Batch:
    """Items of one size as a batch."""
    valid = None
    if any(item.view.valid is not None for item in items):
        masks = [np.ones_like(i.view.target) if i.view.valid is None else i.view.valid for i in items]
        valid = torch.from_numpy(np.stack(masks))[:, None]
    return Batch(
        items[0].number,
        torch.from_numpy(np.stack([item.view.image for item in items])),
        torch.from_numpy(np.stack([item.view.target for item in items]))[:, None],
        valid,
        [item.positives for item in items],
        [item.negatives for item in items],
        torch.from_numpy(np.stack([item.draws for item in items])),
    )
