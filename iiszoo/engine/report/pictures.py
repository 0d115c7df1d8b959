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
from iiszoo.engine.report.window import zoomed
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.errors import DatasetError, RunError
from iiszoo.models.zoom import Box, whole_image

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
    """What a window shows. Its paths (SVG) are in pixels of the original image; `image` is a data URI of the window,
    made smaller if it is large, or "" without it; `unit` the number of image pixels in about one CSS pixel of the page.
    """

    window: Box
    unit: float
    image: str
    target: str
    mask: str


@dataclass(frozen=True)
class Sample:
    """One sample of the page; `picture` is the whole image, None if it cannot be shown, and `crop` is zoomed to the
    object, None if that would show hardly less.
    """

    trace: Trace
    caption: str
    marks: list[Mark]
    picture: Picture | None = None
    crop: Picture | None = None


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


def mask_alone(trace: Trace) -> Picture:
    """The final mask of a session, zoomed to it and all clicks, without its image, for where that may not be shown.
    Raises `RunError` if the mask is damaged.
    """
    mask = _final_mask(trace) if trace.final_mask else None
    seen = np.zeros(trace.size, np.bool_) if mask is None else mask.copy()
    for row, col, _ in (click for interaction in trace.clicks for click in interaction):
        seen[row, col] = True
    window = zoomed(seen, [])
    return _picture("", "", mask, whole_image(seen.shape) if window is None else window)


@dataclass(frozen=True)
class _Seen:
    """What all pictures of a sample share, by window: image and outline of the target."""

    size: tuple[int, int]
    target: NDArray[np.bool_]
    shown: dict[Box, tuple[str, str]]


class Album:
    """Pictures of one dataset's samples; a sample that several runs show is read once."""

    def __init__(self, dataset: EvaluationDataset) -> None:
        self._dataset = dataset
        self._index = {sample.id: i for i, sample in enumerate(dataset)}
        self._seen: dict[str, _Seen] = {}

    def pictures(self, traces: Sequence[Trace]) -> list[tuple[Picture, Picture | None]]:
        """The whole image, and a crop that is zoomed to the object and to all the masks, of one sample in several runs:
        the windows are the same for all of them. No crop if it would show hardly less than the whole.

        Raises `DatasetError` if the dataset has changed since a run, `RunError` if a mask is damaged.
        """
        seen = self._look(traces)
        masks = [_final_mask(trace) if trace.final_mask else None for trace in traces]
        whole = whole_image(seen.size)
        near = zoomed(seen.target, [mask for mask in masks if mask is not None])
        windows = [whole] if near is None else [whole, near]
        for window in windows:
            if window not in seen.shown:
                image = self._dataset[self._index[traces[0].sample]].read_image()
                part = image[window.top : window.bottom, window.left : window.right]
                seen.shown[window] = jpeg(part), outline(seen.target, window)
        made = [[_picture(*seen.shown[window], mask, window) for window in windows] for mask in masks]
        return [(one[0], one[1] if len(one) > 1 else None) for one in made]

    def _look(self, traces: Sequence[Trace]) -> _Seen:
        sample = traces[0].sample
        if sample not in self._seen:
            self._seen[sample] = self._read(sample)
        seen = self._seen[sample]
        for trace in traces:
            if list(seen.size) != list(trace.size):
                raise DatasetError(
                    f"sample {sample!r} of dataset {self._dataset.name} is {seen.size[0]}x{seen.size[1]} (rows x "
                    f"columns) now, but was {trace.size[0]}x{trace.size[1]} when the run was made; the dataset has "
                    "changed"
                )
        return seen

    def _read(self, id: str) -> _Seen:
        i = self._index.get(id)
        if i is None:
            raise DatasetError(f"dataset {self._dataset.name} has no sample {id!r} any more; it has changed")
        sample = self._dataset[i]
        image, target = sample.read_image(), sample.read_target().object
        if image.shape[:2] != target.shape:
            raise DatasetError(f"image and mask of sample {id!r} differ in size; the dataset has changed")
        whole = whole_image(target.shape)
        return _Seen((target.shape[0], target.shape[1]), target, {whole: (jpeg(image), outline(target, whole))})


def _picture(image: str, target: str, mask: NDArray[np.bool_] | None, window: Box) -> Picture:
    unit = round(max(window.width / _BOX[0], window.height / _BOX[1]), 3)
    return Picture(window, unit, image, target, "" if mask is None else outline(mask, window))


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


def outline(mask: NDArray[np.bool_], window: Box | None = None) -> str:
    """The borders of a mask and its holes, as an SVG path through the centres of border pixels (fill rule: evenodd).

    Simplified to what is visible if the window (None: the whole image) is `LONGEST_SIDE` large.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    side = max(mask.shape) if window is None else max(window.height, window.width)
    tolerance = 0.6 * max(1.0, side / LONGEST_SIDE)
    parts = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, tolerance, True).reshape(-1, 2) + 0.5
        parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points) + "Z")
    return "".join(parts)
