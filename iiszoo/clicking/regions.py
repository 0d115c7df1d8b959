"""Regions of a mask: its connected components, their depth, and the bands along their borders.

Masks are bool arrays (H, W). Distances are Euclidean, between pixel centres, and exact: their squares are integers. The
distance of a pixel *in* a mask is that to the nearest pixel outside the mask, so it is at least 1; everything beyond
the image counts as outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from iiszoo.clicking._exact_distance import farthest_error

Mask = NDArray[np.bool_]
Connectivity = Literal[4, 8]

_NO_CLICKS = np.empty((0, 2), np.int64)


class InscribedCircle(NamedTuple):
    """The largest circle inside a mask: its centre (`row`, `col`), and `radius`, the distance of that pixel."""

    row: int
    col: int
    radius: float


def connected_components(mask: Mask, connectivity: Connectivity = 4) -> tuple[NDArray[np.int32], int]:
    """Labels int32 (H, W), 0 outside the mask, and their number; numbered 1, 2, ... in row-major order of first pixels.

    With connectivity 4, pixels touch along an edge; with 8, at a corner too.
    """
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2))
    return labels, int(n)


def largest_component(mask: Mask, connectivity: Connectivity = 4) -> Mask:
    """The largest component, of equally large ones the first in row-major order; empty if the mask is empty."""
    labels, n = connected_components(mask, connectivity)
    if n == 0:
        return np.zeros_like(mask)
    largest: Mask = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    return largest


def clicked_components(mask: Mask, points: Iterable[Any], connectivity: Connectivity = 4) -> Mask:
    """The components that contain one of the points, each (row, col) in whole pixels; empty if none does.

    IndexError for a point outside the mask.
    """
    filled = mask.astype(np.uint8, order="C")
    for row, col in points:
        if filled[row, col] == 1:
            # Not cv2.connectedComponents: its threads hang in a forked process, such as a DataLoader's worker.
            cv2.floodFill(filled, None, (int(col), int(row)), 2, flags=int(connectivity))
    clicked: Mask = filled == 2
    return clicked


def squared_distances(mask: Mask) -> NDArray[np.int64]:
    """Squared distance of every pixel of the mask to the nearest pixel outside it; 0 outside. int64 (H, W)."""
    squares = np.zeros(mask.shape, np.int64)
    if not mask.any():
        return squares
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    squares[box] = _squares_to_zero(np.pad(mask[box], 1))[1:-1, 1:-1]
    return squares


def inscribed_circle(mask: Mask) -> InscribedCircle | None:
    """The deepest pixel of the mask (of several, the first in row-major order) and its distance; None if empty."""
    nothing = np.zeros(mask.shape, np.uint8)
    row, col, square = farthest_error(np.ascontiguousarray(mask).view(np.uint8), nothing, None, _NO_CLICKS)
    return InscribedCircle(row, col, math.sqrt(square)) if row >= 0 else None


def inner_border_band(mask: Mask, width: float) -> Mask:
    """The pixels of the mask at most `width` pixels from its outside."""
    squares = squared_distances(mask)
    band: Mask = mask & (squares <= width**2)
    return band


def outer_border_mask(mask: Mask, width: float) -> Mask:
    """The pixels outside the mask at most `width` pixels from it."""
    if not mask.any():
        return np.zeros_like(mask)
    border: Mask = ~mask & (_squares_to_zero(~mask) <= width**2)
    return border


def safe_erosion(mask: Mask, width: float, keep: float = 0.7) -> Mask:
    """The mask without the pixels at most `width` pixels from its outside; eroded less if too little would be left.

    The greatest width up to `width` that leaves more than `keep` of the area is used; if even removing the outermost
    pixels leaves too little, the mask stays as it is.
    """
    squares = squared_distances(mask)
    values, counts = np.unique(squares[mask], return_counts=True)
    safe = values[(values <= width**2) & (mask.sum() - counts.cumsum() > keep * mask.sum())]
    eroded: Mask = mask & (squares > safe.max(initial=0))
    return eroded


def safe_dilation(mask: Mask, width: float, grow: float = 1.3) -> Mask:
    """The mask and the pixels at most `width` pixels from it; dilated less if it would grow too much.

    The greatest width up to `width` that keeps the area below `grow` times the original is used; if even adding the
    nearest pixels exceeds it, the mask stays as it is.
    """
    if not mask.any():
        return mask.copy()
    squares = _squares_to_zero(~mask)
    values, counts = np.unique(squares[~mask], return_counts=True)
    safe = values[(values <= width**2) & (mask.sum() + counts.cumsum() < grow * mask.sum())]
    dilated: Mask = squares <= safe.max(initial=0)
    return dilated


def _squares_to_zero(mask: Mask) -> NDArray[np.int64]:
    """Squared distance of every pixel to the nearest False pixel; there must be one."""
    # scipy gives the index of the nearest pixel; the distance to it is computed here, in integers.
    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    squares: NDArray[np.int64] = ((nearest.astype(np.int64) - np.indices(mask.shape)) ** 2).sum(axis=0)
    return squares
