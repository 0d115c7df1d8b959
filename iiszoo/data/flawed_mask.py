"""Flawed masks made from the target, for mask correction: plausible bad segmentations of the object.

After the superpixel masks of DAVIS585 (Chen et al., FocalClick, CVPR 2022): boundary errors .65, external false
positives .25, internal holes .10. ClickSEG's script (d61a76b, scripts/DAVIS585_datatset/superpixel_augmentation.py)
flips superpixels of the image, with holes .25 and external false positives .10; here a defect is an ellipse, or the
part of one inside or outside the object, made from the target alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iiszoo.data.base import Mask

_SHARES = {"boundary": 0.65, "outside": 0.25, "hole": 0.10}
_N_DEFECTS = (2, 6)
"""The fewest and the most."""
_WEIGHTS = (0.5, 1.5)
"""A defect's size relative to the others."""
_LONGEST = 2.5
"""The greatest ratio of an ellipse's axes."""
_BAND = np.ones((13, 13), np.uint8)
"""Inside and outside begin six pixels from the boundary, as upstream."""


class Defect(NamedTuple):
    """`kind`: a key of `_SHARES`; `removes`: it removes pixels of the object, else it adds some; `weight`: its size
    relative to the others.
    """

    kind: str
    removes: bool
    weight: float


def flawed_mask(
    target: Mask, ignore: Mask | None, rng: np.random.Generator, low: float = 0.75, high: float = 0.85
) -> Mask:
    """A mask bool (H, W) whose IoU with `target` lies in [low, high], 0 < low < high < 1.

    `target`, `ignore`: bool (H, W). Ignored pixels do not count; a defect that reaches them includes them. Raises
    ValueError if no mask has such an IoU, because the object has too few pixels that count.
    """
    counted = np.ones_like(target) if ignore is None else ~ignore
    n_object, n_ground = int((target & counted).sum()), int((~target & counted).sum())
    goal = rng.uniform(low, high)
    plan = _plan(rng)
    removing = sum(defect.weight for defect in plan if defect.removes) / sum(defect.weight for defect in plan)
    # the number of pixels in error for which (object - removed) / (object + added) is the goal
    in_error = n_object * (1 - goal) / (removing + goal * (1 - removing))
    n_removed, n_added = _counts(n_object, n_ground, removing * in_error, (1 - removing) * in_error, low, high)
    canvas = _Canvas(target, counted, rng)
    for defect, n in _sized(plan, n_removed, n_added):
        canvas.put(defect, n)
    return canvas.mask


def _plan(rng: np.random.Generator) -> list[Defect]:
    kinds = rng.choice(list(_SHARES), size=rng.integers(_N_DEFECTS[0], _N_DEFECTS[1] + 1), p=list(_SHARES.values()))
    weights = rng.uniform(*_WEIGHTS, size=len(kinds))
    takes = rng.random(len(kinds)) < 0.5
    return [
        Defect(str(kind), bool(kind == "hole" or (kind == "boundary" and take)), float(weight))
        for kind, take, weight in zip(kinds, takes, weights, strict=True)
    ]


def _counts(n_object: int, n_ground: int, removed: float, added: float, low: float, high: float) -> tuple[int, int]:
    """The numbers of removed and added pixels nearest to those wanted whose IoU lies in [low, high]."""
    removals = np.arange(n_object)
    least, most = (np.clip((n_object - removals) / iou - n_object, 0, n_ground) for iou in (high, low))
    best, found = math.inf, None
    for additions in (np.ceil(least), np.floor(most), np.clip(np.round(added), np.ceil(least), np.floor(most))):
        iou = (n_object - removals) / (n_object + additions)
        cost = np.abs(removals - removed) + np.abs(additions - added)
        cost[(iou < low) | (iou > high)] = math.inf
        if len(cost) and cost.min() < best:
            best, found = cost.min(), (int(cost.argmin()), int(additions[cost.argmin()]))
    if found is None:
        raise ValueError(
            f"no mask has an IoU of {low:g} to {high:g} with an object of {n_object} pixel{'s' * (n_object != 1)}"
        )
    return found


def _sized(plan: list[Defect], n_removed: int, n_added: int) -> list[tuple[Defect, int]]:
    """The defects with their numbers of pixels, by weight; a boundary defect if none removes or none adds."""
    sized = []
    for removes, total in ((True, n_removed), (False, n_added)):
        defects = [defect for defect in plan if defect.removes == removes] or [Defect("boundary", removes, 1.0)]
        ends = np.cumsum([defect.weight for defect in defects])
        sizes = np.diff(np.round(total * ends / ends[-1]).astype(int), prepend=0)
        sized += [(defect, int(n)) for defect, n in zip(defects, sizes, strict=True) if n > 0]
    return sized


class _Canvas:
    """A mask that begins as the target and gets worse: each pixel is put in error at most once."""

    def __init__(self, target: Mask, counted: Mask, rng: np.random.Generator) -> None:
        self.mask = target.copy()
        self._target, self._counted, self._rng = target, counted, rng
        pixels = self.mask.view(np.uint8)
        self._areas = {
            "outside": cv2.dilate(pixels, _BAND) == 0,
            "hole": cv2.erode(pixels, _BAND, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0,
        }
        inner = cv2.erode(pixels, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
        self._edge = target & ~inner

    def put(self, defect: Defect, n: int) -> None:
        """Put `n` adjacent pixels in error; at the boundary if there is no room inside or outside."""
        right = (self.mask == self._target) & self._counted & (self._target == defect.removes)
        pool = right & self._areas.get(defect.kind, False)
        centres = pool
        if pool.sum() < n:  # always for a boundary defect, which has no area of its own
            pool, centres = right, self._edge
        middle = np.argwhere(centres)[self._rng.integers(centres.sum())]
        axes = _ellipse(self._rng)
        reach = 2 * math.ceil(math.sqrt(n))
        while True:
            window = tuple(
                slice(max(0, at - reach), min(size, at + reach + 1))
                for at, size in zip(middle, pool.shape, strict=True)
            )
            distances = _distances(window, middle, axes)
            inside = pool[window]
            # beyond the reach the window lacks pixels that are as near
            whole = inside.shape == pool.shape
            if whole or (inside & (distances <= reach**2)).sum() >= n:
                break
            reach *= 2
        candidates = np.flatnonzero(inside)
        chosen = candidates[np.argsort(distances.ravel()[candidates], kind="stable")[:n]]
        part = self.mask[window]
        rows, cols = np.unravel_index(chosen, part.shape)
        part[rows, cols] = not defect.removes
        ignored = ~self._counted[window] & (distances <= distances[rows, cols].max())
        part[ignored] = not defect.removes


def _ellipse(rng: np.random.Generator) -> NDArray[np.float64]:
    """A 2 x 2 matrix that maps an ellipse of random direction and axes to a circle; it shortens no direction."""
    angle = rng.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(np.diag([1.0, rng.uniform(1, _LONGEST)]) @ turn)


def _distances(window: tuple[slice, ...], middle: NDArray[np.int64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The squared distance of the window's pixels from `middle` (row, col), along the ellipse's axes."""
    rows = np.arange(window[0].start, window[0].stop)[:, None] - middle[0]
    cols = np.arange(window[1].start, window[1].stop)[None, :] - middle[1]
    squares = sum((row_part * rows + col_part * cols) ** 2 for row_part, col_part in axes)
    return np.asarray(squares)
