"""Zoom-in: show the network a crop round the object instead of the whole image.

From f-BRS (arXiv 2001.10331) and RITM (arXiv 2102.06583): `isegm/inference/transforms/zoom_in.py` and
`isegm/utils/misc.py` of SamsungLabs/ritm_interactive_segmentation at b9b4460. SimpleClick (f33112e) uses the same code,
FocalClick (ClickSEG d61a76b) the same rules with other parameters.

The parts are pure functions; who uses them keeps a session's region of interest (ROI) in its state `z`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Roi = tuple[int, int, int, int]
"""(first row, last row, first column, last column) of the image, in pixels; the last ones belong to it."""
Point = tuple[float, float]
"""(row, col), in pixels of an image or a crop; unrounded in a crop."""


@dataclass(frozen=True)
class Zoom:
    """When to zoom, on what, and how far. The defaults are RITM's.

    Attributes:
        target: what a crop is resized to: its longest side in pixels, or (height, width) whatever its aspect.
        skip_clicks: with at most so many clicks the network sees the whole image. -1: the first crop is the whole
            image, resized; until there is an object, likewise.
        expansion: factor on the sides of the object's bounding box, about its middle.
        min_crop: least side of a crop before it is cut off at the image's border, in pixels.
        keep_iou: a ROI is kept while it holds all positive clicks and its overlap with the one that would be chosen
            now is at least so much. `math.inf`: choose anew at each click.
        threshold: a pixel is object where its previous probability is above this.

    ValueError for `skip_clicks` 0, under which upstream answers a click twice: no published setting does.
    """

    target: int | tuple[int, int] = 400
    skip_clicks: int = 1
    expansion: float = 1.4
    min_crop: int = 200
    keep_iou: float = 0.5
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.skip_clicks < -1 or self.skip_clicks == 0:
            raise ValueError(f"Zoom.skip_clicks must be -1, or 1 and more, not {self.skip_clicks}")


def next_roi(
    zoom: Zoom,
    roi: Roi | None,
    previous: Tensor | None,
    positives: Sequence[Point],
    n_clicks: int,
    size: tuple[int, int],
) -> tuple[Roi | None, bool]:
    """The session's ROI at this interaction, and whether the network sees it (else it sees the whole image).

    `roi` is the one before, None for none; `previous` (H, W) the probabilities after the interaction before, None at
    the first; `positives` the positive clicks so far, `n_clicks` the number of all clicks, `size` (H, W).

    The network may see the whole image although there is a ROI: when the object vanished from `previous`. Upstream then
    squeezes the answer for the whole image into that ROI, and the published figures hold whatever came of it.
    """
    if n_clicks <= zoom.skip_clicks:
        return roi, False
    wanted = (
        None if previous is None else object_roi(previous > zoom.threshold, positives, zoom.expansion, zoom.min_crop)
    )
    if wanted is None:
        if zoom.skip_clicks >= 0:
            return roi, False
        wanted = (0, size[0] - 1, 0, size[1] - 1)
    if roi is not None and holds(roi, positives) and roi_iou(wanted, roi) >= zoom.keep_iou:
        return roi, True
    return wanted, True


def object_roi(mask: Tensor, positives: Sequence[Point], expansion: float, min_crop: int) -> Roi | None:
    """The ROI of an object: the bounding box of `mask` bool (H, W) and of the positive clicks, expanded about its
    middle, at least `min_crop` pixels high and wide, and cut off at the image's border; None where the mask is empty.
    """
    height, width = mask.shape
    # the greatest of 0 and 1 is "any", ten times as fast as torch's
    rows, columns = (mask.view(torch.uint8).amax(axis).nonzero()[:, 0] for axis in (1, 0))
    if not len(rows):
        return None
    sides = []
    for axis, (found, limit) in enumerate(((rows, height), (columns, width))):
        clicked = [int(click[axis]) for click in positives]
        first, last = min([int(found[0]), *clicked]), max([int(found[-1]), *clicked])
        middle, half = 0.5 * (first + last), 0.5 * max(expansion * (last - first + 1), min_crop)
        # Python's round: halves go to the even neighbour, as upstream.
        sides += [max(0, round(middle - half)), min(limit - 1, round(middle + half))]
    return (sides[0], sides[1], sides[2], sides[3])


def holds(roi: Roi, points: Sequence[Point]) -> bool:
    """Whether all points lie in the ROI, its last row and column left out, as upstream has it."""
    return all(roi[0] <= row < roi[1] and roi[2] <= col < roi[3] for row, col in points)


def roi_iou(one: Roi, other: Roi) -> float:
    """IoU of the row ranges times IoU of the column ranges: upstream's measure of overlap, not the IoU of the boxes."""
    return _segment_iou(one[:2], other[:2]) * _segment_iou(one[2:], other[2:])


def _segment_iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    both = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return max(0, both) / (max(one[1], other[1]) - min(one[0], other[0]) + 1)


def crop_size(roi: Roi, target: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a ROI's crop for the network: `target`, or with the longest side `target`, each 1 or more."""
    if isinstance(target, tuple):
        return target
    height, width = roi[1] - roi[0] + 1, roi[3] - roi[2] + 1
    scale = target / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def crop(image: Tensor, roi: Roi, size: tuple[int, int]) -> Tensor:
    """The ROI of `image` float (C, H, W), resized to (C, *size), bilinear with aligned corners."""
    cut = image[None, :, roi[0] : roi[1] + 1, roi[2] : roi[3] + 1]
    return F.interpolate(cut, size=size, mode="bilinear", align_corners=True)[0]


def to_crop(points: Sequence[Point], roi: Roi, size: tuple[int, int]) -> list[Point]:
    """Points of the image as points of the ROI's crop of `size`, unrounded; those outside the ROI lie outside the crop.

    They are scaled by size / ROI, although the pixels are scaled by (size - 1) / (ROI - 1): so does upstream.
    """
    height, width = roi[1] - roi[0] + 1, roi[3] - roi[2] + 1
    return [(size[0] * (row - roi[0]) / height, size[1] * (col - roi[2]) / width) for row, col in points]


def paste(answer: Tensor, roi: Roi, size: tuple[int, int]) -> Tensor:
    """The answer for a crop, float (C, h, w), back in an image of `size` (H, W): (C, H, W), 0 outside the ROI."""
    height, width = roi[1] - roi[0] + 1, roi[3] - roi[2] + 1
    image = answer.new_zeros((len(answer), *size))
    image[:, roi[0] : roi[1] + 1, roi[2] : roi[3] + 1] = F.interpolate(
        answer[None], size=(height, width), mode="bilinear", align_corners=True
    )[0]
    return image
