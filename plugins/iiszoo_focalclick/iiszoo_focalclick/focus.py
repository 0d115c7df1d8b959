"""Focus crop: the region that the refiner segments again after a click.

From FocalClick (arXiv 2204.02574), section 3.2: `get_focus_cropv1`, `get_bbox_from_mask` and `expand_bbox` of
`isegm/utils/crop_local.py` of alibaba/ClickSEG at d61a76b.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iiszoo.models.merge import changed_under
from iiszoo.models.zoom import Box, bounding_box, expand

Mask = NDArray[np.bool_]

Extent = tuple[float, float]
"""The first and the last row, or column."""

_FEWEST_PIXELS = 10
"""A mask of fewer pixels does not count as an object: its box is the whole image."""
_NEAR = 0.2
"""If the change is small, the box extends this far from the click, as a fraction of the object's longer side."""


def focus_box(coarse: Mask, previous: Mask, region: Box, click: tuple[int, int], expansion: float = 1.4) -> Box:
    """The part of the target `region` that the last click changed; it may be empty.

    `coarse` (H, W): the coarse network's mask after the click at (row, col); `previous` (H, W): the mask before it. If
    `previous` is empty, it is the box of the object; else that of the 8-connected change under the click, unless this
    is less than a third as high or as wide as the object: then a square around the click.
    """
    rows, columns = _extent(coarse)
    if previous.any():
        height, width = _length(rows), _length(columns)
        rows, columns = _extent(changed_under(coarse ^ previous, click))
        if _length(rows) < height / 3 or _length(columns) < width / 3:
            near = _NEAR * max(height, width)
            rows, columns = (click[0] - near, click[0] + near), (click[1] - near, click[1] + near)
    # Truncated, and the last row and column become exclusive, as in upstream.
    top, bottom = map(int, expand(*rows, expansion))
    left, right = map(int, expand(*columns, expansion))
    return Box(top, bottom, left, right).clip(region)


def _extent(mask: Mask) -> tuple[Extent, Extent]:
    """First and last row, first and last column of a mask; 0 and the image's height, 0 and its width, if the mask is
    too small for an object.
    """
    box = bounding_box(mask) if np.count_nonzero(mask) >= _FEWEST_PIXELS else None
    if box is None:
        return (0, mask.shape[0]), (0, mask.shape[1])
    return (box.top, box.bottom - 1), (box.left, box.right - 1)


def _length(extent: Extent) -> float:
    """From first to last: one less than the number of pixels."""
    return extent[1] - extent[0]
