"""`classic/random-walker`: scikit-image's random walker (Grady, PAMI 2006) from click seeds: a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import random_walker

from iiszoo.cards import ModelCard

from .elementwise import ElementClicks, ElementwiseModel, refuse_checkpoint
from .seeds import click_discs, on_grid, shrink, working_size

Array = NDArray[Any]


@dataclass(frozen=True)
class Settings:
    """Lengths are in pixels of the working grid. Chosen once; not tuned on any data."""

    work_side: int = 200  # longest side of the working grid
    disc: float = 3.0  # radius of the seeds around a click
    beta: float = 300.0  # how strongly a change of colour impedes the walker
    tolerance: float = 1e-2  # of the conjugate gradients


class RandomWalker:
    """The probability that a walker from a pixel reaches a positive seed first; a `Segmenter`.

    Stateless: the clicks alone decide. Until there is a negative click, the frame of the image is background.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def prepare(self, image: Array) -> Array:
        """float32 (h, w, 3), RGB in [0, 1]."""
        small = shrink(image, working_size(image.shape, self._settings.work_side))
        if small.std() == 0:
            small = small.copy()
            small[0, 0] += 1e-3  # scikit-image divides by the image's deviation: a flat image would give NaN
        return small

    def segment(self, prepared: Array, previous: Array, clicks: ElementClicks) -> Array:
        s = self._settings
        shape = prepared.shape[0], prepared.shape[1]
        points = on_grid(clicks.points, previous.shape, shape)
        seeds = click_discs(points, clicks.positive, shape, s.disc)
        if clicks.positive.all():
            frame = np.ones(shape, bool)
            frame[1:-1, 1:-1] = False
            seeds[frame & (seeds == 0)] = -1
        if (seeds >= 0).all() or (seeds <= 0).all() or (seeds != 0).all():
            probability = (seeds > 0).astype(np.float32)  # nothing for a walker to decide
        else:
            labels = np.where(seeds > 0, 2, np.where(seeds < 0, 1, 0))
            # prob_tol: with the loose tolerance, values may lie slightly outside [0, 1]; they are clipped below.
            both = random_walker(
                prepared,
                labels,
                beta=s.beta,
                mode="cg_j",
                tol=s.tolerance,
                return_full_prob=True,
                channel_axis=-1,
                prob_tol=1.0,
            )
            probability = np.clip(both[1], 0, 1).astype(np.float32)
        return np.asarray(cv2.resize(probability, previous.shape[::-1], interpolation=cv2.INTER_LINEAR))


def load_random_walker(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> ElementwiseModel:
    """The model in the standard format; it has no weights and no options and always runs on the CPU."""
    refuse_checkpoint(card, checkpoint)
    return ElementwiseModel(RandomWalker(Settings()))
