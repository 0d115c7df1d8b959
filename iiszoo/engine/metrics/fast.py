"""IoU and Boundary IoU of many predictions against one prepared target: equal to `definitions.py`, much faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from iiszoo.engine.metrics import packed_masks
from iiszoo.engine.metrics.definitions import DILATION_RATIO, boundary_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iiszoo.engine.metrics.packed_masks import Packed


@dataclass(frozen=True, eq=False)
class PreparedTarget:
    """A target with everything that does not depend on the prediction; masks as in `packed_masks`. Made by `prepare`.

    `size` (H, W); `object` the target and `counted` all pixels, both without ignored ones; `boundary` the target's
    boundary, `radius` pixels wide.
    """

    size: tuple[int, int]
    object: Packed
    counted: Packed
    boundary: Packed
    radius: int


class Score(NamedTuple):
    """`iou` and `boundary_iou`, both in [0, 1]; `sound`: every value of the prediction is a probability."""

    iou: float
    boundary_iou: float
    sound: bool


def prepare(
    target: NDArray[np.bool_], ignore: NDArray[np.bool_] | None = None, dilation_ratio: float = DILATION_RATIO
) -> PreparedTarget:
    """Prepare a target (H, W) and its ignored pixels for `score`. Raises `ValueError` if shapes differ."""
    if target.ndim != 2 or (ignore is not None and ignore.shape != target.shape):
        raise ValueError(f"target {target.shape} must be (H, W), and ignore of the same shape")
    height, width = target.shape
    radius = boundary_width(height, width, dilation_ratio)
    nothing = packed_masks.nothing(height, width)
    counts = np.ones_like(target) if ignore is None else ~ignore
    counted = _compared(counts, radius, ~nothing, nothing).mask
    wanted = _compared(target, radius, counted, nothing)
    return PreparedTarget((height, width), wanted.mask, counted, wanted.boundary, radius)


def score(prediction: NDArray[np.float32], target: PreparedTarget, threshold: float = 0.5) -> Score:
    """`iou` and `boundary_iou` of a prediction (H, W), and whether it is sound.

    Called after every click of every session: one pass over the prediction, the rest on bits. Raises `ValueError` if
    the shapes differ.
    """
    if prediction.shape != target.size:
        raise ValueError(f"prediction {prediction.shape} and target {target.size} must have one shape")
    values = np.ascontiguousarray(prediction, np.float32)
    found = packed_masks.compare(
        values, np.float32(threshold), target.radius, target.counted, target.object, target.boundary
    )
    return Score(_ratio(*found.objects), _ratio(*found.boundaries), found.sound)


def _compared(mask: NDArray[np.bool_], radius: int, counted: Packed, nothing: Packed) -> packed_masks.Compared:
    # as a prediction, so that `compare` is compiled for one type only
    values = mask.astype(np.float32, order="C")
    return packed_masks.compare(values, np.float32(0.5), radius, counted, nothing, nothing)


def _ratio(both: int, either: int) -> float:
    return both / either if either else 1.0
