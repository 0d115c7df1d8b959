"""Datasets with full masks from others: decoded once, or with the targets of a dataset for evaluation as layers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from iiszoo.data.base import EvaluationDataset
from iiszoo.data.seg_dataset import Sample, SegDataset


@dataclass(eq=False)
class InMemory(SegDataset):
    """`source` with its images decoded once, by threads: a gigabyte for 1,700 small photographs. Forked workers share
    them.
    """

    source: SegDataset
    threads: int = 8
    _samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            self._samples = list(pool.map(self.source.__getitem__, range(len(self.source))))

    @property
    def name(self) -> str:
        return self.source.name

    def __len__(self) -> int:
        return len(self.source)

    def get_sample(self, i: int) -> tuple[Any, Any, dict[str, Any]]:
        return self._samples[i]

    def __getitem__(self, i: int) -> Sample:
        return self._samples[i]

    def image_id(self, i: int) -> str:
        return self.source.image_id(i)


class Regions(SegDataset):
    """A dataset for evaluation as one with full masks: one layer per sample of an image."""

    def __init__(self, dataset: EvaluationDataset) -> None:
        self.dataset = dataset
        self.place = dataset.place
        images: dict[str, list[int]] = {}
        for i, sample in enumerate(dataset):
            images.setdefault(sample.image_id, []).append(i)
        self._images = list(images.items())

    @property
    def name(self) -> str:
        return self.dataset.name

    def __len__(self) -> int:
        return len(self._images)

    def get_sample(self, i: int) -> tuple[Any, Any, dict[str, Any]]:
        samples = [self.dataset[k] for k in self._images[i][1]]
        layers = []
        for sample in samples:
            target = sample.read_target()
            layer = target.object.astype(np.int8)
            if target.ignore is not None:
                layer[target.ignore] = -1
            layers.append(layer)
        return samples[0].read_image(), np.stack(layers, axis=2), {}

    def image_id(self, i: int) -> str:
        return self._images[i][0]
