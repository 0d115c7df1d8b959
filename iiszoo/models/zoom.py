"""Zoom-in: show the network a crop around the object instead of the whole image.

From f-BRS (arXiv 2001.10331) and RITM (arXiv 2102.06583): `isegm/inference/transforms/zoom_in.py` and
`isegm/utils/misc.py` of SamsungLabs/ritm_interactive_segmentation at b9b4460. SimpleClick (f33112e) uses the same code,
FocalClick (ClickSEG d61a76b) the same rules with other parameters.

The parts are pure functions; a model keeps a session's region of interest (ROI), a `Box`, in its state `z`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, SupportsInt

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.protocol import join, on_cpu, parted, together_on_cpu

Point = tuple[float, float]
"""(row, col), in pixels of an image or a crop; unrounded in a crop."""
Points = Sequence[Point]


class Box(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of an image, in pixels; `bottom`, `right` are exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def empty(self) -> bool:
        return self.height <= 0 or self.width <= 0

    def clip(self, bounds: Box) -> Box:
        """The part inside `bounds`; empty if they do not overlap."""
        return Box(
            max(self.top, bounds.top),
            min(self.bottom, bounds.bottom),
            max(self.left, bounds.left),
            min(self.right, bounds.right),
        )


def from_inclusive(ends: Sequence[SupportsInt]) -> Box:
    """The box of (first row, last row, first column, last column), as upstream writes a ROI."""
    top, last_row, left, last_column = map(int, ends)
    return Box(top, last_row + 1, left, last_column + 1)


def whole_image(size: Sequence[int]) -> Box:
    """The box of an image of `size` (H, W)."""
    return Box(0, int(size[0]), 0, int(size[1]))


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box that contains all pixels of `mask` (H, W); None if there are none."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Box(top, top + height, left, left + width) if height else None


def bounding_boxes(values: Sequence[Tensor], threshold: float) -> list[Box | None]:
    """The bounding box of the pixels above the threshold in each of `values` (H, W), which may differ in size. A GPU
    looks for the rows and columns itself, and is waited for once.
    """
    if values and values[0].is_cuda:
        return _by_sides(values, threshold)
    (masks,) = masks_on_cpu((values, threshold))
    return [bounding_box(mask) for mask in masks]


def _by_sides(values: Sequence[Tensor], threshold: float) -> list[Box | None]:
    """`bounding_boxes`, with little to copy: one number for each row and column."""
    alike: dict[torch.Size, list[int]] = {}
    for i, value in enumerate(values):
        alike.setdefault(value.shape, []).append(i)
    sides = []
    for group in alike.values():
        # the maximum of 0 and 1 is "any", ten times as fast as torch's
        masks = (join([values[i] for i in group]) > threshold).view(torch.uint8)
        sides += [masks.amax(2), masks.amax(1)]
    there = [side.numpy() for side in together_on_cpu(sides)]
    found: dict[int, Box | None] = {}
    for group, in_rows, in_columns in zip(alike.values(), there[::2], there[1::2], strict=True):
        for i, in_row, in_column in zip(group, in_rows, in_columns, strict=True):
            rows, columns = in_row.nonzero()[0], in_column.nonzero()[0]
            found[i] = from_inclusive((rows[0], rows[-1], columns[0], columns[-1])) if len(rows) else None
    return [found[i] for i in range(len(values))]


def masks_on_cpu(*asked: tuple[Sequence[Tensor], float]) -> list[list[NDArray[np.bool_]]]:
    """For each (values, threshold), all values float32 and on one device: where each value is above the threshold, as
    an array of its shape. A GPU is waited for once.
    """
    if not any(values and values[0].is_cuda for values, _ in asked):
        # on one thread numpy compares ten times as fast as torch
        return [[on_cpu(value).numpy() > np.float32(threshold) for value in values] for values, threshold in asked]
    masks: list[Tensor] = []
    for values, threshold in asked:
        if values:
            masks += parted(torch.cat([value.reshape(-1) for value in values]) > threshold, values)
    there = iter(together_on_cpu(masks))
    return [[next(there).numpy() for _ in values] for values, _ in asked]


def expand(first: float, last: float, factor: float, least: float = 0) -> tuple[float, float]:
    """The ends of the range `first` to `last`, lengthened by `factor`, and to at least `least`, about its centre.

    Unrounded: upstream rounds them differently for a ROI and for a focus crop.
    """
    middle, half = 0.5 * (first + last), 0.5 * max(factor * (last - first + 1), least)
    return middle - half, middle + half


_NO_BOX = (-1, -1, -1, -1)
"""Marks an element without a box."""


def no_boxes(n: int) -> Tensor:
    """An entry of the state for n elements without a box: int64 (n, 4)."""
    return write_boxes([None] * n)


def read_boxes(boxes: Tensor) -> list[Box | None]:
    """The boxes of an entry of the state, int64 (B, 4); None for an element without one."""
    return [None if tuple(ends) == _NO_BOX else Box(*ends) for ends in boxes.tolist()]


def write_boxes(boxes: Sequence[Box | None]) -> Tensor:
    """The entry of the state with these boxes: int64 (B, 4), what `read_boxes` reads."""
    return torch.tensor([_NO_BOX if box is None else box for box in boxes])


@dataclass(frozen=True)
class Zoom:
    """When to zoom, on what, and how far. The defaults are RITM's.

    Attributes:
        target: the size of a resized crop: its longest side in pixels, or (height, width) whatever its aspect.
        skip_clicks: with at most this many clicks the network sees the whole image. -1: the crop is the whole image,
            resized, at the first click and until there is an object.
        expansion: factor on the sides of the object's bounding box, about its centre.
        min_crop: least side of a crop before it is clipped to the image, in pixels.
        keep_iou: a ROI is kept as long as it contains all positive clicks and its overlap with the ROI that would be
            chosen now is at least this. `math.inf`: choose anew at each click.
        threshold: a pixel is object if its previous probability is above this.

    ValueError for `skip_clicks` 0, at which upstream answers a click twice; no published setting uses it.
    """

    target: int | tuple[int, int] = 400
    skip_clicks: int = 1
    expansion: float = 1.4
    min_crop: int = 200
    keep_iou: float = 0.5
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.skip_clicks < -1 or self.skip_clicks == 0:
            raise ValueError(f"Zoom.skip_clicks must be -1, or 1 or more, not {self.skip_clicks}")


def only_size(zoom: Zoom | None) -> tuple[int, int] | None:
    """The size (height, width) of all that the network sees, if it has one."""
    fixed = zoom is not None and zoom.skip_clicks == -1 and isinstance(zoom.target, tuple)
    return zoom.target if fixed else None  # type: ignore[union-attr,return-value]


def next_roi(
    zoom: Zoom,
    roi: Box | None,
    object_box: Box | None,
    positives: Points,
    n_clicks: int,
    size: tuple[int, int],
) -> tuple[Box | None, bool]:
    """The session's ROI at this interaction, and whether the network sees it (else it sees the whole image).

    `roi` is the previous ROI, None if there is none; `object_box` the bounding box of the object after the last
    interaction, None if there is none and at the first; `positives` the positive clicks so far, `n_clicks` the number
    of all clicks, `size` (H, W).

    The network may see the whole image although there is a ROI, if the object has vanished. Upstream then squeezes the
    answer for the whole image into that ROI, and the published figures include the effect.
    """
    if n_clicks <= zoom.skip_clicks:
        return roi, False
    if object_box is not None:
        wanted = object_roi(object_box, positives, zoom.expansion, zoom.min_crop, size)
    elif zoom.skip_clicks >= 0:
        return roi, False
    else:
        wanted = whole_image(size)
    if roi is not None and holds(roi, positives) and roi_iou(wanted, roi) >= zoom.keep_iou:
        return roi, True
    return wanted, True


def object_roi(found: Box, positives: Points, expansion: float, min_crop: int, size: tuple[int, int]) -> Box:
    """The ROI of an object with the bounding box `found`: that of it and of the positive clicks, expanded about its
    centre, at least `min_crop` pixels high and wide, and clipped to the image of `size` (H, W).
    """
    ends: list[int] = []
    for axis, (start, end) in enumerate((found[:2], found[2:])):
        clicked = [int(click[axis]) for click in positives]
        first, last = expand(min([start, *clicked]), max([end - 1, *clicked]), expansion, min_crop)
        # Python's round: halves go to the even neighbour, as in upstream.
        ends += [round(first), round(last)]
    return from_inclusive(ends).clip(whole_image(size))


def holds(roi: Box, points: Points) -> bool:
    """Whether all points lie in the ROI without its last row and column, as in upstream."""
    return all(roi.top <= row < roi.bottom - 1 and roi.left <= col < roi.right - 1 for row, col in points)


def roi_iou(one: Box, other: Box) -> float:
    """IoU of the row ranges times IoU of the column ranges: upstream's measure of overlap, not the IoU of the boxes."""
    return _segment_iou(one[:2], other[:2]) * _segment_iou(one[2:], other[2:])


def _segment_iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, both) / (max(one[1], other[1]) - min(one[0], other[0]))


def crop_size(roi: Box, target: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a ROI's crop for the network: `target`, or its longest side `target`; each at least 1."""
    if isinstance(target, tuple):
        return target
    scale = target / max(roi.height, roi.width)
    return max(1, round(roi.height * scale)), max(1, round(roi.width * scale))


def cut(values: Tensor, box: Box) -> Tensor:
    """The box of `values` (..., H, W), a view (..., h, w)."""
    return values[..., box.top : box.bottom, box.left : box.right]


def resize(values: Tensor, size: tuple[int, int]) -> Tensor:
    """float (C, h, w) -> (C, *size), bilinear with aligned corners."""
    pictures = values[:, None]  # a CPU takes 2.5 times as long for three channels, 13 times if the picture is large
    return F.interpolate(pictures, size=size, mode="bilinear", align_corners=True)[:, 0]


def crop(image: Tensor, box: Box, size: tuple[int, int]) -> Tensor:
    """The box of `image` float (C, H, W), resized to (C, *size)."""
    return resize(cut(image, box), size)


def to_crop(points: Points, box: Box, size: tuple[int, int]) -> list[Point]:
    """Points of the image in the box's crop of `size`, unrounded; points outside the box lie outside the crop.

    They are scaled by size / box, although the pixels are scaled by (size - 1) / (box - 1), as in upstream.
    """
    return [(size[0] * (row - box.top) / box.height, size[1] * (col - box.left) / box.width) for row, col in points]


def paste(answer: Tensor, box: Box, size: tuple[int, int]) -> Tensor:
    """The answer for a crop, float (C, h, w), back in an image of `size` (H, W): (C, H, W), 0 outside the box."""
    around = (box.left, size[1] - box.right, box.top, size[0] - box.bottom)
    return F.pad(resize(answer, (box.height, box.width)), around)
