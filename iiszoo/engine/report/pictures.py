"""Pictures of the worst samples: image, target, final mask and clicks."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from iiszoo import units
from iiszoo.engine.metrics import iou_at, noc, reached
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.errors import DatasetError, RunError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iiszoo.data.base import EvaluationDataset

LONGEST_SIDE = 480
"""The most rows or columns of an embedded image."""
_QUALITY = 80
_BOX = (360, 270)
"""CSS pixels (width, height) of a picture on a wide page; click marks are sized for it."""


@dataclass(frozen=True)
class Mark:
    """A click at the centre of its pixel, in pixels of the image; `number` counts the session's clicks from 1."""

    x: float
    y: float
    number: int
    positive: bool


@dataclass(frozen=True)
class Picture:
    """`width`, `height` and the paths (SVG) in pixels of the original image; `image` a data URI of a smaller one;
    `unit` the number of image pixels in about one CSS pixel of the page.
    """

    width: int
    height: int
    unit: float
    image: str
    target: str
    mask: str


@dataclass(frozen=True)
class Sample:
    """One sample of the page; `picture` is None if it cannot be shown."""

    trace: Trace
    caption: str
    marks: list[Mark]
    picture: Picture | None = None


def worst(traces: Sequence[Trace], target_iou: float, max_clicks: int, n: int) -> list[Trace]:
    """The `n` worst: those in which the model failed, then by NoC at `target_iou`, then by final IoU."""

    def badness(trace: Trace) -> tuple[bool, int, bool, float]:
        never = not reached(trace, target_iou)
        return trace.error is None, -noc(trace, target_iou, max_clicks), not never, iou_at(trace, max_clicks)

    return sorted(traces, key=badness)[:n]


def caption(trace: Trace, target_iou: float, max_clicks: int) -> str:
    """NoC@90 (and at the target IoU, if it differs), final IoU, number of clicks."""
    parts = []
    for goal in sorted({min(0.90, target_iou), target_iou}):
        late = "" if reached(trace, goal) else ", not reached"
        parts.append(f"NoC@{100 * goal:g} {noc(trace, goal, max_clicks)}{late}")
    n_clicks = sum(map(len, trace.clicks))
    parts.append(f"final IoU {iou_at(trace, max_clicks):.3f}")
    parts.append(units.number_of(n_clicks, "click"))
    return " · ".join(parts)


def marks(trace: Trace) -> list[Mark]:
    """Every click of the session, in order."""
    clicks = [click for interaction in trace.clicks for click in interaction]
    return [Mark(col + 0.5, row + 0.5, i, bool(positive)) for i, (row, col, positive) in enumerate(clicks, 1)]


class Album:
    """Pictures of one dataset's samples; a sample that several runs show is read once."""

    def __init__(self, dataset: EvaluationDataset) -> None:
        self._dataset = dataset
        self._index = {sample.id: i for i, sample in enumerate(dataset)}
        self._read: dict[str, tuple[tuple[int, int], str, str]] = {}

    def picture(self, trace: Trace) -> Picture:
        """Raises `DatasetError` if the dataset has changed since the run, `RunError` if the mask is damaged."""
        if trace.sample not in self._read:
            self._read[trace.sample] = self._image_and_target(trace)
        (height, width), image, target = self._read[trace.sample]
        if [height, width] != list(trace.size):
            raise DatasetError(
                f"sample {trace.sample!r} of dataset {self._dataset.name} is {height}x{width} (rows x columns) now, "
                f"but was {trace.size[0]}x{trace.size[1]} when the run was made; the dataset has changed"
            )
        mask = outline(_final_mask(trace)) if trace.final_mask else ""
        return Picture(width, height, round(max(width / _BOX[0], height / _BOX[1]), 3), image, target, mask)

    def _image_and_target(self, trace: Trace) -> tuple[tuple[int, int], str, str]:
        i = self._index.get(trace.sample)
        if i is None:
            raise DatasetError(f"dataset {self._dataset.name} has no sample {trace.sample!r} any more; it has changed")
        sample = self._dataset[i]
        image, target = sample.read_image(), sample.read_target().object
        if image.shape[:2] != target.shape:
            raise DatasetError(f"image and mask of sample {trace.sample!r} differ in size; the dataset has changed")
        return (image.shape[0], image.shape[1]), jpeg(image), outline(target)


def _final_mask(trace: Trace) -> NDArray[np.bool_]:
    try:
        return unpack_mask(trace.final_mask, trace.size)
    except ValueError as error:
        raise RunError(f"the final mask of sample {trace.sample!r} is damaged ({error}); run it again") from error


def jpeg(image: NDArray[np.uint8]) -> str:
    """An RGB image as the data URI of a JPEG whose longer side has at most `LONGEST_SIDE` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    small = cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"


def outline(mask: NDArray[np.bool_]) -> str:
    """The borders of a mask and its holes, as an SVG path through the centres of border pixels (fill rule: evenodd).

    Simplified to what is visible at `LONGEST_SIDE`.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    tolerance = 0.6 * max(1.0, max(mask.shape) / LONGEST_SIDE)
    parts = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, tolerance, True).reshape(-1, 2) + 0.5
        parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points) + "Z")
    return "".join(parts)
