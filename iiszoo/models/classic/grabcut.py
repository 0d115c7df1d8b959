"""`classic/grabcut`: OpenCV's GrabCut (Rother, Kolmogorov, Blake, ToG 2004) with clicks as hard labels: a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.cards import ModelCard

from .components import keep_clicked
from .elementwise import ElementClicks, ElementwiseModel, refuse_checkpoint
from .seeds import click_discs, on_grid, shrink, working_size

Array = NDArray[Any]


@dataclass(frozen=True)
class Settings:
    """Lengths are in pixels of the working grid. Chosen once; not tuned on any data."""

    work_side: int = 320  # longest side of the working grid
    disc: float = 3.0  # radius of the hard labels around a click
    first_reach: float = 0.25  # of the shorter side: radius of the probable object around a click, without a mask
    iterations: int = 2  # of GrabCut's "fit the colours, cut", per click


class GrabCut:
    """Works on uint8 RGB at `work_side`; a `Segmenter`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def prepare(self, image: Array) -> Array:
        """uint8 (h, w, 3)."""
        small = shrink(image, working_size(image.shape, self._settings.work_side))
        return (small * 255).round().clip(0, 255).astype(np.uint8)

    def segment(self, prepared: Array, previous: Array, clicks: ElementClicks) -> Array:
        s = self._settings
        shape = prepared.shape[0], prepared.shape[1]
        points = on_grid(clicks.points, previous.shape, shape)
        labels = click_discs(points, clicks.positive, shape, s.disc)
        before = shrink(previous, shape) > 0.5
        if not before.any():
            before = click_discs(points, clicks.positive, shape, s.first_reach * min(shape)) > 0
        mask = np.where(before, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        mask[labels > 0] = cv2.GC_FGD
        mask[labels < 0] = cv2.GC_BGD
        found = _grabcut(prepared, mask, s.iterations)
        found = keep_clicked(found, points[clicks.positive])
        return np.asarray(cv2.resize(found.astype(np.float32), previous.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _grabcut(image: Array, mask: Array, iterations: int) -> Array:
    """bool (h, w) from the trimap `mask`, which is overwritten."""
    is_object = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if is_object.all() or not is_object.any():
        return np.asarray(is_object)  # OpenCV asserts that both colour models have a sample
    # The k-means of the colour models draws from OpenCV's global generator: without a seed right here the result would
    # depend on earlier calls.
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), iterations, cv2.GC_INIT_WITH_MASK)
    return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))


def load_grabcut(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> ElementwiseModel:
    """The model in the standard format; it has no weights and no options and always runs on the CPU."""
    refuse_checkpoint(card, checkpoint)
    return ElementwiseModel(GrabCut(Settings()))
