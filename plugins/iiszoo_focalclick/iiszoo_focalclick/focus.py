"""Focus crop: where the refiner looks again after a click.

From FocalClick (arXiv 2204.02574), section 3.2: `get_focus_cropv1`, `get_bbox_from_mask` and `expand_bbox` of
`isegm/utils/crop_local.py` of alibaba/ClickSEG at d61a76b.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iiszoo.models.merge import changed_under

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""(top, bottom, left, right) in pixels; bottom and right do not belong to it."""

_FEWEST_PIXELS = 10
"""A mask of fewer is no object: its box is the whole image."""
_NEAR = 0.2
"""Where the change is small, the box reaches so far from the click, as a share of the object's longer side."""


def focus_box(coarse: Mask, previous: Mask, region: Box, click: tuple[int, int], expansion: float = 1.4) -> Box:
    """The part of the target `region` that the last click changed; it may be empty.

    `coarse` (H, W): what the coarse network answered to the click at (row, col); `previous` (H, W): the mask before it.
    From nothing it is the box of the object. Else it is that of the 8-connected change under the click, unless this is
    less than a third as high or as wide as the object: then a square round the click.
    """
    first, last, left, right = _box(coarse)
    if not previous.any():
        sides: tuple[float, float, float, float] = (first, last, left, right)
    else:
        height, width = last - first, right - left
        sides = _box(changed_under(coarse ^ previous, click))
        if sides[1] - sides[0] < height / 3 or sides[3] - sides[2] < width / 3:
            near = _NEAR * max(height, width)
            sides = (click[0] - near, click[0] + near, click[1] - near, click[1] + near)
    top, bottom, left, right = _expanded(sides, expansion, coarse.shape)
    return max(top, region[0]), min(bottom, region[1]), max(left, region[2]), min(right, region[3])


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """First and last row, first and last column: the last ones belong to the mask, except in the box of no object."""
    if np.count_nonzero(mask) < _FEWEST_PIXELS:
        return 0, mask.shape[0], 0, mask.shape[1]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _expanded(sides: tuple[float, float, float, float], expansion: float, size: Sequence[int]) -> Box:
    """Both sides expanded about their middle, cut off at fractions, and at the image's border."""
    ends = []
    for first, last, limit in ((*sides[:2], size[0]), (*sides[2:], size[1])):
        middle, length = 0.5 * (first + last), expansion * (last - first + 1)
        ends += [max(0, int(middle - length * 0.5)), min(limit, int(middle + length * 0.5))]
    return ends[0], ends[1], ends[2], ends[3]
