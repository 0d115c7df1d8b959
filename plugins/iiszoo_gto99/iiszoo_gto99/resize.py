"""Resizing an image to sides that are multiples of 32 and back, by the rules of OpenCV's resize that upstream uses.

`scale_input` and `pred` (`demo.py` of MarcoForte/DeepInteractiveSegmentation at ddd7426): image and alpha by Lanczos
interpolation, clicks by nearest neighbour, the output back bilinearly (upstream requests Lanczos there too, but in an
argument with another meaning).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.protocol import Click

Size = tuple[int, int]

MULTIPLE = 32
_TAPS = np.arange(-3, 5)


def network_size(size: Size) -> Size:
    """(H, W) of the network's input for an image of `size`: the next multiples of 32."""
    height, width = (-(-n // MULTIPLE) * MULTIPLE for n in size)
    return height, width


def lanczos(x: Tensor, size: Size) -> Tensor:
    """x (..., H, W) at another size, by OpenCV's INTER_LANCZOS4: eight taps per axis, also when x shrinks.

    As the filter has negative lobes, values may exceed the range of x. Along unchanged sides values stay exactly equal.
    """
    down, across = (_lanczos_matrix(n, m).to(x) for n, m in zip(x.shape[-2:], size, strict=True))
    return down @ x @ across.mT


def _lanczos_matrix(n: int, m: int) -> Tensor:
    """(m, n), float64: the weights of n pixels in each of m.

    Positions and weights are rounded to float32 where OpenCV rounds them, so that in float64 the images agree to the
    last bits: where an image is flat, the guided filter amplifies these.
    """
    place = ((np.arange(m) + 0.5) * (n / m) - 0.5).astype(np.float32)
    first = np.floor(place)
    distance = (place - first + 3)[:, None] - (_TAPS + 3).astype(np.float32)
    angle = np.pi / 4 * np.where(np.abs(distance) < 1e-6, 1, distance).astype(np.float64)
    # sinc(d) sinc(d / 4) up to a factor common to all taps: from tap to tap sin(pi d) changes only its sign.
    weights = (np.where(_TAPS % 2 == 0, 1, -1) * np.sin(angle) / angle**2).astype(np.float32)
    weights[np.abs(distance) < 1e-6] = 1e30  # the pixel itself
    weights *= 1 / np.add.accumulate(weights, axis=1)[:, -1:]
    source = np.clip(first[:, None] + _TAPS, 0, n - 1).astype(np.int64)  # the border repeats its last pixel
    matrix = torch.zeros(m, n, dtype=torch.float64)
    return matrix.scatter_add_(1, torch.from_numpy(source), torch.from_numpy(weights).double())


def enlarge_clicks(clicks: Sequence[Click], size: Size, to: Size) -> list[Click]:
    """The pixels that clicked pixels become when an image of `size` is resized to `to` by OpenCV's INTER_NEAREST.

    A click becomes one pixel or more, depending on how often its row and column are repeated.
    """
    rows, cols = (_nearest(n, m) for n, m in zip(size, to, strict=True))
    return [
        (row, col)
        for r, c in clicks
        for row in np.flatnonzero(rows == r).tolist()
        for col in np.flatnonzero(cols == c).tolist()
    ]


def _nearest(n: int, m: int) -> NDArray[np.int64]:
    """(m,): the index among n pixels of each of m. Truncated, not rounded, and with OpenCV's two divisions."""
    source: NDArray[np.int64] = np.minimum(np.floor(np.arange(m) * (1 / (m / n))), n - 1).astype(np.int64)
    return source


def bilinear(x: Tensor, size: Size) -> Tensor:
    """x (B, C, H, W) at another size, by OpenCV's INTER_LINEAR: aligned pixel centres, no antialiasing."""
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
