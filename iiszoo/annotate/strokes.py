"""Brush and eraser: which pixels a stroke covers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from iiszoo.annotate.document import Stroke


def covered(stroke: Stroke, size: tuple[int, int]) -> tuple[slice, slice, NDArray[np.bool_]]:
    """The pixels within half the stroke's width of its line, on an image of `size` (rows, columns): the rows and
    columns of the rectangle that contains them, and bool (h, w) of that rectangle, which may be empty.
    """
    radius = stroke.size / 2
    reach = int(np.ceil(radius))
    points = np.asarray(stroke.points, np.int64)
    low = np.clip(points.min(0) - reach, 0, size)
    high = np.clip(points.max(0) + reach + 1, low, size)
    found = np.zeros(tuple(high - low), bool)
    for begin, end in pairwise(points if len(points) > 1 else points[[0, 0]]):
        first = np.clip(np.minimum(begin, end) - reach, low, high)
        last = np.clip(np.maximum(begin, end) + reach + 1, first, high)
        part = found[first[0] - low[0] : last[0] - low[0], first[1] - low[1] : last[1] - low[1]]
        part |= _near(begin, end, radius, first, last)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), found


def _near(
    begin: NDArray[np.int64], end: NDArray[np.int64], radius: float, first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The pixels of the rectangle from `first` to before `last` within `radius` of the segment."""
    rows = np.arange(first[0], last[0], dtype=np.float32)[:, None] - np.float32(begin[0])
    cols = np.arange(first[1], last[1], dtype=np.float32)[None] - np.float32(begin[1])
    along = (end - begin).astype(np.float32)
    length = float(along @ along)
    share = np.clip((rows * along[0] + cols * along[1]) / length, 0, 1) if length else np.float32(0)
    return np.asarray((rows - share * along[0]) ** 2 + (cols - share * along[1]) ** 2 <= radius**2)
