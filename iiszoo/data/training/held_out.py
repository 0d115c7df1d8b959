"""The validation set of a training run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.data.training.source import Source


class HeldOut(EvaluationDataset):
    """One fixed random target per image of the sources.

    Images without a target are left out. Sample ids are `SOURCE/IMAGE`.
    """

    def __init__(self, sources: Sequence[Source], seed: int, limit: int | None = None) -> None:
        self.name = "held out"
        self.place = sources[0].dataset.place if sources else EvaluationDataset.place
        every = [(number, i) for number, source in enumerate(sources) for i in source.images]
        if limit is not None and limit < len(every):
            chosen = np.random.default_rng(seed).permutation(len(every))[:limit]
            every = [every[k] for k in sorted(chosen.tolist())]
        self.sources = list(sources)
        self._samples: list[tuple[int, int, NDArray[np.bool_]]] = []
        for number, i in every:
            source = sources[number]
            name = f"{number}/{source.dataset.image_id(i)}\n{seed}"
            digest = hashlib.sha256(name.encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            target = source.target(source.dataset[i], rng)
            if target is not None and target.any():
                self._samples.append((number, i, target))

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> Sample:
        number, image, _ = self._samples[i]
        dataset = self.sources[number].dataset
        id = f"{number}/{dataset.image_id(image)}"
        return Sample(id, id, dataset.files_of(image), partial(self._image, i), partial(self._target, i))

    def _image(self, i: int) -> Any:
        number, image, _ = self._samples[i]
        return self.sources[number].dataset[image].image

    def _target(self, i: int) -> Target:
        number, image, target = self._samples[i]
        masks = self.sources[number].dataset[image].masks
        ignore = (masks < 0).any(axis=2) & ~target if masks.dtype.kind == "i" else None
        return Target(target, ignore if ignore is not None and ignore.any() else None)
