"""RITM's click rule and click maps, as plainly as they can be written: over whole images, everything for every pixel.

The ground truth of `iiszoo.clicking`, in its tests and in `benchmarks/speed/`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

Mask = NDArray[np.bool_]


def squared_distances(error: Mask) -> NDArray[np.int64]:
    """(H, W) exact squared distances of the pixels of `error` to the nearest pixel outside it, or beyond the image."""
    padded = np.pad(error, 1)
    # scipy tells *which* pixel is nearest; the distance to it is computed here, in integers.
    nearest = distance_transform_edt(padded, return_distances=False, return_indices=True)
    squares = ((nearest - np.indices(padded.shape)) ** 2).sum(axis=0)
    return squares[1:-1, 1:-1]


def plain_ritm(
    target: Mask, prediction: Mask, ignore: Mask | None = None, clicks: Iterable[tuple[int, int]] = ()
) -> tuple[int, int, bool] | None:
    """(row, column, is positive) of the next click, or None where there is nothing to click. Masks are (H, W) bool."""
    valid = np.ones_like(target) if ignore is None else ~ignore
    false_negative = squared_distances(target & ~prediction & valid)
    false_positive = squared_distances(~target & prediction & valid)
    for row, col in clicks:
        false_negative[row, col] = 0
        false_positive[row, col] = 0
    positive = bool(false_negative.max() > false_positive.max())
    distances = false_negative if positive else false_positive
    if distances.max() == 0:
        return None
    row, col = np.unravel_index(distances.argmax(), distances.shape)  # argmax: the first in row-major order
    return int(row), int(col), positive


def full_map_disks(points: torch.Tensor, size: tuple[int, int], radius: float) -> torch.Tensor:
    """RITM's `DistMaps` with `use_disks`: float32 (B, 2, H, W), from the distance of every pixel to every click.

    `points` float32 (B, 2N, 3): (row, col, index), N positives, then N negatives; padding is -1.
    """
    n_elements, n_points, _ = points.shape
    rows, cols = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    grid = torch.stack([rows, cols])
    coords = grid[None].repeat(n_elements * n_points, 1, 1, 1)
    coords.sub_(points[..., :2].reshape(-1, 2, 1, 1))
    coords.mul_(coords)
    squares = coords[:, 0] + coords[:, 1]
    squares[points[..., :2].reshape(-1, 2).amax(dim=1) < 0] = 1e6
    nearest = squares.view(n_elements, 2, n_points // 2, *size).amin(dim=2)
    return (nearest <= radius**2).float()
