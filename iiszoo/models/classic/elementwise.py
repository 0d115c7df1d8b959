"""Turns one-image functions into a model in the standard format.

The classic models work in numpy on one image at a time, so an element's output cannot depend on its batch neighbours.
This file has the loop over the batch, and the clicks of one element in the form that the models read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.protocol import Clicks, Images, Outputs, State, empty_output

Array = NDArray[Any]


@dataclass(frozen=True)
class ElementClicks:
    """The clicks of one element, in the order in which they were made.

    `points` int64 (N, 2), (row, col) inside the image; `positive` bool (N,); `interaction` int64 (N,), from 0 on;
    `newest` bool (N,), true for the clicks of the last interaction in which this element has a click.
    """

    points: Array
    positive: Array
    interaction: Array

    @property
    def newest(self) -> Array:
        if len(self.interaction) == 0:
            return np.zeros(0, bool)
        return np.asarray(self.interaction == self.interaction.max())

    def __len__(self) -> int:
        return len(self.points)


class Segmenter(Protocol):
    """The interface of a classic algorithm; both methods are pure."""

    def prepare(self, image: Array) -> Any:
        """Work that depends only on the image. `image`: float32 (H, W, 3), RGB in [0, 1]."""
        ...

    def segment(self, prepared: Any, previous: Array, clicks: ElementClicks) -> Array:
        """float32 (H, W) in [0, 1] from the previous output (H, W) and at least one click."""
        ...


def element_clicks(pcs: Clicks, ncs: Clicks, b: int, height: int, width: int) -> ElementClicks:
    """The clicks of batch element `b`; a click outside the image is moved to the nearest pixel.

    If a positive and a negative click share a pixel, the later one counts; within an interaction, the negative one.
    """
    latest: dict[tuple[int, int], tuple[int, bool]] = {}
    for interaction in range(max(len(pcs), len(ncs))):
        for lists, positive in ((pcs, True), (ncs, False)):
            for click in lists[interaction][b] if interaction < len(lists) else ():
                row = min(max(round(float(click[0])), 0), height - 1)
                col = min(max(round(float(click[1])), 0), width - 1)
                latest.pop((row, col), None)
                latest[row, col] = (interaction, positive)
    return ElementClicks(
        points=np.array(list(latest), dtype=np.int64).reshape(-1, 2),
        positive=np.array([positive for _, positive in latest.values()], dtype=bool),
        interaction=np.array([interaction for interaction, _ in latest.values()], dtype=np.int64),
    )


class ElementwiseModel:
    """A `Segmenter` as a model: `init_z(x) -> z` and `model(x, z, pcs, ncs) -> (y, z)`.

    `x` is float32 (B, 3, H, W), RGB in [0, 1], or a list of B tensors (3, H_i, W_i); `y` is float32 (B, 1, H, W) in
    [0, 1], or a list of B tensors (1, H_i, W_i). `z` has `prev_output`, shaped like `y`, and `prepared`, a list of B
    results of `Segmenter.prepare`, read-only. An element without a click keeps its `prev_output`.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def init_z(self, x: Images) -> State:
        return {"prev_output": empty_output(x), "prepared": [self._segmenter.prepare(_image(image)) for image in x]}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        y = empty_output(x)
        for b, image in enumerate(x):
            height, width = int(image.shape[-2]), int(image.shape[-1])
            previous = z["prev_output"][b].detach().to("cpu", torch.float32).numpy().reshape(height, width)
            clicks = element_clicks(pcs, ncs, b, height, width)
            output = self._segmenter.segment(z["prepared"][b], previous, clicks) if len(clicks) else previous
            y[b] = torch.from_numpy(np.array(output, np.float32, order="C"))[None].to(image.device)
        # The state gets its own copy, so that a caller that edits y does not edit the session's state.
        memory = y.clone() if isinstance(y, Tensor) else [output.clone() for output in y]
        return y, {**z, "prev_output": memory}


def _image(image: Tensor) -> Array:
    return np.ascontiguousarray(image.detach().to("cpu", torch.float32).permute(1, 2, 0).numpy())


def refuse_checkpoint(card: ModelCard, checkpoint: object) -> None:
    """Raise `BadOption` if a weight-free model is given weights."""
    if checkpoint is not None:
        raise BadOption(
            f"model {card.id} has no weights, so it takes no checkpoint; leave --checkpoint (checkpoint=) out"
        )
