"""Brush and eraser: which pixels a stroke covers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.annotate.document import Stroke


def covered(stroke: Stroke, size: tuple[int, int]) -> tuple[slice, slice, NDArray[np.bool_]]:
    """The pixels within half the stroke's width of its line's pixels, on an image of `size` (rows, columns): the rows
    and columns of the rectangle around them, and bool (h, w) of that rectangle.
    """
    radius = stroke.size / 2
    reach = int(radius)
    points = np.asarray(stroke.points, np.int32)
    low = np.clip(points.min(0) - reach, 0, size)
    high = np.clip(points.max(0) + reach + 1, low, size)
    away = np.ones(points.max(0) - points.min(0) + 1, np.uint8)
    line = (points - points.min(0))[:, ::-1]
    cv2.polylines(away, [np.ascontiguousarray(line)], False, 0)
    away[line[0, 1], line[0, 0]] = 0  # of a single point, polylines draws nothing
    away = np.pad(away, reach, constant_values=1)
    near = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius + 1e-3
    first = low - points.min(0) + reach
    last = first + (high - low)
    rows, cols = (slice(int(low[axis]), int(high[axis])) for axis in (0, 1))
    return rows, cols, near[first[0] : last[0], first[1] : last[1]]
