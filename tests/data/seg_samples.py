"""Small datasets with full masks, and a selector and a transform of pure chance; importable in DataLoader workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.data.seg_dataset import SegDataset

Arrays = tuple[NDArray[np.uint8], NDArray[Any], dict[str, Any]]


class Listed(SegDataset):
    """The samples of a list."""

    def __init__(self, samples: Sequence[Any]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def get_sample(self, i: int) -> Any:
        return self.samples[i]

    def image_id(self, i: int) -> str:
        return f"photo{i}"


def painted(i: int, size: tuple[int, int] = (32, 40)) -> Arrays:
    """Image i: a bright disc (value 1) and a dark square (value 2) on grey, and the corners of the square ignored."""
    rows, columns = np.indices(size)
    disc = (rows - 12 - i) ** 2 + (columns - 10) ** 2 <= 49
    masks = np.zeros((*size, 1), np.int32)
    masks[disc] = 1
    masks[8 + i : 22 + i, 22:36] = 2
    masks[[8 + i, 8 + i, 21 + i, 21 + i], [22, 35, 22, 35]] = -1
    image = np.full((*size, 3), 100 + i, np.uint8)
    image[disc] = (250, 200, 10)
    image[masks[:, :, 0] == 2] = (10, 20, 60)
    return image, masks, {"number": i}


def discs(n: int) -> Listed:
    return Listed([painted(i) for i in range(n)])


def speckles(masks: NDArray[Any], info: dict[str, Any], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A selector: each pixel with probability 1/2. No two draws are equal."""
    return rng.random(masks.shape[:2]) < 0.5


def grey_level(item: dict[str, Tensor]) -> dict[str, Tensor]:
    """A transform: the image becomes one float of torch's default generator."""
    return {**item, "image": torch.rand(()).expand(item["image"].shape)}
