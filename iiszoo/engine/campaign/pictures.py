"""The segmenter's training data: images with one mask each, at the network's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from iiszoo.data.base import Sample, Target
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Picture(NamedTuple):
    """An image and its mask, read only when they are wanted."""

    sample: Sample
    read_target: Callable[[], Target]


def with_own_targets(samples: Sequence[Sample]) -> list[Picture]:
    """Each sample with the dataset's target."""
    return [Picture(sample, sample.read_target) for sample in samples]


class Pictures(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Items (image uint8 (size, size, 3), target and valid bool (1, size, size)); the aspect is not kept.

    Each is read once and kept in memory: size x size x 5 bytes. Raises `DatasetError` naming the sample if image and
    mask differ in size.
    """

    def __init__(self, pictures: Sequence[Picture], size: int) -> None:
        self.pictures, self.size = list(pictures), size
        self._read: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        if i not in self._read:
            self._read[i] = self._resized(self.pictures[i])
        return self._read[i]

    def _resized(self, picture: Picture) -> tuple[Tensor, Tensor, Tensor]:
        image, (object, ignore) = picture.sample.read_image(), picture.read_target()
        if image.shape[:2] != object.shape:
            raise DatasetError(
                f"sample {picture.sample.id!r}: the image has {image.shape[0]} x {image.shape[1]} pixels, its mask "
                f"{object.shape[0]} x {object.shape[1]}"
            )
        valid = np.ones_like(object) if ignore is None else ~ignore
        small = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small), self._mask(object), self._mask(valid)

    def _mask(self, mask: NDArray[np.bool_]) -> Tensor:
        share = cv2.resize(mask.astype(np.float32), (self.size, self.size), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(share >= 0.5)[None]
