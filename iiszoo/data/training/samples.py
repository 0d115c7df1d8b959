"""Training samples: sample n is a pure function of (seed, n), regardless of the number and order of workers.

    samples = TrainingSamples([source], partial(object_view, size=(320, 320)), deep_and_near, seed=0)
    loader = DataLoader(samples, 64, sampler=Numbers(start=0, stop=64_000), collate_fn=collate, num_workers=12)

Step s of a run with batches of B trains on the samples s B ... s B + B - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from iiszoo.data.seg_dataset import Sample
from iiszoo.data.training.batch import N_DRAWS, Item, Points
from iiszoo.data.training.scene_views import SceneView
from iiszoo.data.training.source import Source
from iiszoo.data.training.views import View
from iiszoo.errors import DatasetError

_TRIES = 100

FirstClicks = Callable[[NDArray[np.bool_], NDArray[np.bool_] | None, np.random.Generator], tuple[Points, Points]]
SceneClicks = Callable[..., tuple[Points, Points]]


class _Drawn(Dataset[Item]):
    """Samples of images that are drawn from the sources by weight."""

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        for source in sources:
            if not source.images:
                raise DatasetError(f"{source.dataset.name} has no image left to train on; lower validation.held_out")
        self.sources, self.seed = list(sources), seed
        weights = np.array([source.weight for source in sources], float)
        self._weights = weights / weights.sum()

    def __getitem__(self, n: int) -> Item:
        rng = np.random.default_rng([self.seed, n])
        for _ in range(_TRIES):
            source = self.sources[int(rng.choice(len(self.sources), p=self._weights))]
            found = self._seen(source, source.sample(rng), rng)
            if found is not None:
                return Item(n, *found, rng.random(N_DRAWS))
        names = ", ".join(source.dataset.name for source in self.sources)
        raise DatasetError(
            f"{names}: no region for training in {_TRIES} random images; give a smaller min_area or min_share, a wider "
            "view.share, or another selector"
        )

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        """What is seen of a sample, and the first clicks on it; None if another is to be drawn."""
        raise NotImplementedError


class TrainingSamples(_Drawn):
    """Sample n, drawn from the sources by weight: image, target, view, first clicks.

    `view(image, target, valid, rng)` is a function of `iiszoo.data.training.views`, `first_clicks(target, valid, rng)`
    one of `iiszoo.clicking.first_clicks`. If the selector finds no target or the view rejects it, everything is drawn
    again; raises `DatasetError` after a hundred attempts.
    """

    def __init__(
        self, sources: Sequence[Source], view: Callable[..., View | None], first_clicks: FirstClicks, seed: int
    ) -> None:
        super().__init__(sources, seed)
        self.view, self.first_clicks = view, first_clicks

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        target = source.target(sample, rng)
        if target is None:
            return None
        view = self.view(sample.image, target, _valid(sample.masks, target), rng)
        return None if view is None else (view, *self.first_clicks(view.target, view.valid, rng))


class SceneSamples(_Drawn):
    """Sample n in RITM's order: image, crop, target, first clicks.

    `view(image, masks, rng)` is a function of `iiszoo.data.training.scene_views`, `first_clicks(parts, others, target,
    valid, rng)` one of `iiszoo.clicking.scene_clicks`. A crop without a target is a sample too, all
    of it background.
    """

    def __init__(self, sources: Sequence[Source], view: SceneView, first_clicks: SceneClicks, seed: int) -> None:
        super().__init__(sources, seed)
        self.view, self.first_clicks = view, first_clicks

    def _seen(self, source: Source, sample: Sample, rng: np.random.Generator) -> tuple[View, Points, Points] | None:
        scene = self.view(sample.image, sample.masks, rng)
        if scene is None:
            return None
        parts, others = source.chosen(Sample(*scene, sample.info), rng)
        target = np.any(parts, axis=0) if parts else np.zeros(scene.image.shape[:2], bool)
        valid = _valid(scene.masks, target)
        return View(scene.image, target, valid), *self.first_clicks(parts, others, target, valid, rng)


def _valid(masks: NDArray[Any], target: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Where pixels count; None if all do."""
    if masks.dtype.kind != "i" or not (masks < 0).any():
        return None
    valid: NDArray[np.bool_] = target | (masks >= 0).all(axis=2)
    return valid
