"""Images to train on, with the selectors that take targets from them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iiszoo.data.seg_dataset import Sample, SegDataset
from iiszoo.data.training.selectors import Chosen, TrainingSelector


@dataclass(frozen=True)
class Source:
    """Some images of a dataset, and selectors, drawn by weight, that take a target from one.

    `images`: indices of `dataset`. `weight`: how often this source is drawn, relative to the others. `chances`: how
    often an image is drawn, relative to the others, by its index in `dataset`; None if all are equally likely.
    """

    dataset: SegDataset
    selectors: Sequence[tuple[float, TrainingSelector]]
    images: Sequence[int]
    weight: float = 1.0
    chances: NDArray[np.float64] | None = None

    def sample(self, rng: np.random.Generator) -> Sample:
        """A random image."""
        if self.chances is None:
            return self.dataset[self.images[int(rng.integers(len(self.images)))]]
        return self.dataset[self.images[int(np.searchsorted(self._cumulated, rng.random(), "right"))]]

    @cached_property
    def _cumulated(self) -> NDArray[np.float64]:
        """The chance of an image up to each of `images`."""
        assert self.chances is not None
        cumulated = self.chances[list(self.images)].cumsum()
        cumulated /= cumulated[-1]
        return cumulated[:-1]  # without the last: what is drawn lies below 1

    def target(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_] | None:
        found = self._found(sample, rng)
        return found.target if isinstance(found, Chosen) else found

    def chosen(self, sample: Sample, rng: np.random.Generator) -> Chosen:
        """The target with what surrounds it; without parts if the selector finds none."""
        found = self._found(sample, rng)
        if isinstance(found, Chosen):
            return found
        others: NDArray[np.bool_] = np.any(sample.masks > 0, axis=2)
        return Chosen([], others) if found is None else Chosen([found], others & ~found)

    def _found(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_] | Chosen | None:
        weights = np.array([weight for weight, _ in self.selectors])
        selector = self.selectors[int(rng.choice(len(weights), p=weights / weights.sum()))][1]
        return selector(sample.masks, sample.info, rng)


def split(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """(training, held out): the hash of an image's name decides, so that adding images does not move others. About
    `share` of the images are held out.
    """
    held: list[int] = []
    kept: list[int] = []
    for i in source.images:
        digest = hashlib.sha256(f"{source.dataset.image_id(i)}\n{seed}".encode()).digest()
        (held if int.from_bytes(digest[:8], "big") < share * 2**64 else kept).append(i)
    return replace(source, images=kept), replace(source, images=held)
