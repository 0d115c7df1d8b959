"""Clicks on a working grid: their cells, and the discs of hard labels around them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def working_size(image_shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(h, w) of the grid of an image (H, W, ...): longest side at most `side`, never enlarged, never empty."""
    height, width = image_shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A float32 image (H, W) or (H, W, C) on a grid (h, w) that is not larger: the mean of each cell."""
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))


def on_grid(points: NDArray[Any], image_shape: tuple[int, ...], shape: tuple[int, int]) -> NDArray[Any]:
    """The cell, int64 (N, 2), of a grid (h, w) that contains each pixel (row, col) of the image (H, W)."""
    scale = shape[0] / image_shape[0], shape[1] / image_shape[1]
    cells = ((points + 0.5) * scale).astype(np.int64)
    return np.asarray(np.clip(cells, 0, (shape[0] - 1, shape[1] - 1)))


def click_discs(points: NDArray[Any], positive: NDArray[Any], shape: tuple[int, int], radius: float) -> NDArray[Any]:
    """int8 (h, w): 1 on the discs of positive clicks, -1 on those of negative ones, 0 elsewhere.

    A pixel under several discs belongs to the nearest click; of equally near ones, to the later.
    """
    labels = np.zeros(shape, np.int8)
    nearest = np.full(shape, radius**2, np.float32)
    for (row, col), is_positive in zip(points, positive, strict=True):
        reach = int(radius)
        window = slice(max(row - reach, 0), row + reach + 1), slice(max(col - reach, 0), col + reach + 1)
        rows, cols = np.ogrid[
            window[0].start : min(row + reach + 1, shape[0]), window[1].start : min(col + reach + 1, shape[1])
        ]
        square = ((rows - row) ** 2 + (cols - col) ** 2).astype(np.float32)
        closer = square <= nearest[window]
        labels[window][closer] = 1 if is_positive else -1
        nearest[window][closer] = square[closer]
    return labels
