"""The part of an image that a picture shows: the whole, or what lies around the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_MARGIN = 8
"""Pixels around an object, however small it is."""
_HARDLY_LESS = 0.75
"""A window with more of the image's height and width than this is not worth a picture of its own."""


@dataclass(frozen=True)
class Window:
    """Part of an image, in its pixels: rows `top` to `top + height`, columns `left` to `left + width`."""

    top: int
    left: int
    height: int
    width: int


def cut(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """What the window shows of an image (H, W, ...)."""
    return image[window.top : window.top + window.height, window.left : window.left + window.width]


def zoomed(target: NDArray[np.bool_], masks: Sequence[NDArray[np.bool_]]) -> Window | None:
    """The part of the image around the target with a margin, and around the masks, but not more than twice as far: a
    mask that has run over the whole image must not hide the object again. None if it is hardly smaller than the image.
    """
    height, width = target.shape
    rows, cols = _box(target)
    if rows is None or cols is None:
        return None
    margin = max(_LEAST_MARGIN, 0.2 * max(rows[1] - rows[0], cols[1] - cols[0]))
    reach = margin + 0.5 * max(rows[1] - rows[0], cols[1] - cols[0])
    far_rows, far_cols = _box(np.logical_or.reduce([target, *masks]))
    top, bottom = _limits(rows, far_rows, margin, reach, height)
    left, right = _limits(cols, far_cols, margin, reach, width)
    window = Window(top, left, bottom - top, right - left)
    return None if window.height > _HARDLY_LESS * height and window.width > _HARDLY_LESS * width else window


def _box(mask: NDArray[np.bool_]) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The rows and the columns of a mask's pixels, each as (first, last + 1)."""
    rows, cols = np.nonzero(mask)
    if len(rows) == 0:
        return None, None
    return (int(rows.min()), int(rows.max()) + 1), (int(cols.min()), int(cols.max()) + 1)


def _limits(
    target: tuple[int, int], far: tuple[int, int] | None, margin: float, reach: float, most: int
) -> tuple[int, int]:
    low, high = far or target
    begin = max(low - margin, target[0] - reach, 0)
    end = min(high + margin, target[1] + reach, most)
    return int(begin), int(np.ceil(end))
