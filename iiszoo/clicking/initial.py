"""The initial clicks of a training session, drawn from the target before there is a prediction.

    >>> import torch
    >>> targets = torch.ones(2, 1, 32, 48)
    >>> pcs, ncs = multi_point(targets, generators=[np.random.default_rng(seed) for seed in range(2)])
    >>> len(pcs), len(pcs[0]), len(pcs[0][0]) > 0  # interactions, elements, and clicks in each
    (1, 2, True)

Each function takes `targets`, (B, 1, H, W) in {0, 1}, bool, integer or float, on any device, and returns `(pcs, ncs)`
in the standard format: `[interaction][element][click]`. `ignore`, bool (B, 1, H, W), marks pixels that get no click;
`generators` are as for robots: one numpy Generator per element, or None. An element's clicks do not depend on other
elements. ValueError if shapes or counts disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.clicking.single_sample import Mask, as_masks, by_polarity, generator
from iiszoo.protocol import Clicks

Points = list[tuple[int, int]]
Generators = Sequence[np.random.Generator | None] | None

BACKGROUND, OTHER_OBJECTS, BORDER = 0.1, 0.4, 0.5
"""Shares of the negative clicks of `multi_point`."""


def no_clicks(targets: Tensor, *, ignore: Tensor | None = None, generators: Generators = None) -> tuple[Clicks, Clicks]:
    """No interaction at all: the first click is the robot's."""
    return [], []


def jittered_grid(
    targets: Tensor, *, n_rows: int = 4, n_cols: int = 4, ignore: Tensor | None = None, generators: Generators = None
) -> tuple[Clicks, Clicks]:
    """One interaction: a click in each cell of a grid of `n_rows` x `n_cols`, at a pixel drawn uniformly from the cell.

    The clicks cover the whole image evenly; a click is positive if it lies on the target. A cell without pixels (a grid
    finer than the image), or with ignored ones only, gets no click.
    """

    def draw(target: Mask, void: Mask | None, b: int, rng: np.random.Generator) -> Points:
        counted = np.ones_like(target) if void is None else ~void
        points: Points = []
        for rows in np.array_split(np.arange(target.shape[0]), n_rows):
            for cols in np.array_split(np.arange(target.shape[1]), n_cols):
                inside = draw_pixels(counted[np.ix_(rows, cols)], 1, rng)
                points += [(int(rows[r]), int(cols[c])) for r, c in inside]
        return points

    return _interaction(targets, ignore, generators, draw)


def multi_point(
    targets: Tensor,
    others: Tensor | None = None,
    *,
    max_points: int = 12,
    gamma: float = 0.8,
    shares: tuple[float, float, float] = (BACKGROUND, OTHER_OBJECTS, BORDER),
    ignore: Tensor | None = None,
    generators: Generators = None,
) -> tuple[Clicks, Clicks]:
    """One interaction: several positive clicks on the object and several negative ones off it, as RITM starts training.

    Args:
        others: (B, 1, H, W), not 0 on objects other than the target. If an element has none, its background is used
            instead.
        max_points: the number of positive clicks is k in 1 ... `max_points`, with a probability proportional to
            `gamma`^(k - 1); that of negative ones is k in 0 ... `max_points`, proportional to `gamma`^k.
        shares: the probabilities with which each negative click is drawn from the background (all that is not the
            target), from `others`, or from the border band. A choice without pixels gives no click.

    Positive clicks are drawn uniformly from the target; in nine of ten cases (one choice per element) from the target
    eroded three times by a 3 x 3 square, if that leaves more than 10 pixels. The border band surrounds the target, up
    to ceil(0.1 sqrt(area)) pixels away along rows and columns. Clicks may coincide. An element without a target gets
    negative clicks only.

    Source: `MultiPointSampler` (`isegm/data/points_sampler.py`) of SamsungLabs/ritm_interactive_segmentation at
    b9b4460, for one object, without its hierarchies of parts.
    """
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1):
        raise ValueError(f"shares must be three probabilities that add up to 1, not {shares}")
    if others is not None and others.shape != targets.shape:
        raise ValueError(f"others {tuple(others.shape)} and targets {tuple(targets.shape)} differ in shape")
    other_masks = None if others is None else as_masks(others)

    def draw(target: Mask, void: Mask | None, b: int, rng: np.random.Generator) -> Points:
        counted = np.ones_like(target) if void is None else ~void
        n_positive = 1 + rng.choice(max_points, p=geometric(gamma, max_points))
        n_negative = rng.choice(max_points + 1, p=geometric(gamma, max_points + 1))
        background = ~target & counted
        other = background if other_masks is None else other_masks[b, 0] & background
        candidates = (background, other if other.any() else background, border_band(target) & counted)
        chosen = np.bincount(rng.choice(3, size=n_negative, p=shares), minlength=3)
        points = draw_pixels(often_eroded(target & counted, rng), n_positive, rng)
        for mask, n in zip(candidates, chosen, strict=True):
            points += draw_pixels(mask, n, rng)
        return points

    return _interaction(targets, ignore, generators, draw)


def _interaction(
    targets: Tensor,
    ignore: Tensor | None,
    generators: Generators,
    draw: Callable[[Mask, Mask | None, int, np.random.Generator], Points],
) -> tuple[Clicks, Clicks]:
    """The points of `draw(target, ignored, b, rng)` for each element, split into positive and negative clicks."""
    if targets.dim() != 4 or targets.shape[1] != 1:
        raise ValueError(f"targets must have shape (B, 1, H, W), not {tuple(targets.shape)}")
    if ignore is not None and ignore.shape != targets.shape:
        raise ValueError(f"ignore {tuple(ignore.shape)} and targets {tuple(targets.shape)} differ in shape")
    if generators is not None and len(generators) != len(targets):
        raise ValueError(f"{len(generators)} generators were given for {len(targets)} elements")
    target_masks, ignore_masks = as_masks(targets), None if ignore is None else as_masks(ignore)
    pcs: Clicks = [[]]
    ncs: Clicks = [[]]
    for b in range(len(targets)):
        target = target_masks[b, 0]
        points = draw(target, None if ignore_masks is None else ignore_masks[b, 0], b, generator(generators, b))
        positives, negatives = by_polarity(points, target)
        pcs[0].append(positives)
        ncs[0].append(negatives)
    return pcs, ncs


def geometric(gamma: float, n: int) -> NDArray[np.float64]:
    """The probabilities of n numbers, that of the k-th proportional to `gamma`^k."""
    weights = gamma ** np.arange(n)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def often_eroded(target: Mask, rng: np.random.Generator) -> Mask:
    """In nine of ten cases `eroded_thrice`, else the target."""
    return target if rng.random() > 0.9 else eroded_thrice(target)


def eroded_thrice(target: Mask) -> Mask:
    """The target eroded three times by a square of 3 x 3, if that leaves more than 10 pixels; else the target."""
    eroded = cv2.erode(target.view(np.uint8), np.ones((3, 3), np.uint8), iterations=3).view(np.bool_)
    return eroded if eroded.sum() > 10 else target


def border_band(target: Mask) -> Mask:
    """What lies around the target, up to ceil(0.1 sqrt(area)) pixels away along rows and columns."""
    width = math.ceil(0.1 * math.sqrt(target.sum()))
    dilated = cv2.dilate(target.view(np.uint8), np.ones((3, 3), np.uint8), iterations=width).view(np.bool_)
    band: Mask = dilated & ~target
    return band


def draw_pixels(mask: Mask, n: int, rng: np.random.Generator) -> Points:
    """`n` pixels of the mask, each drawn uniformly; none if the mask is empty."""
    candidates = np.flatnonzero(mask)
    if not candidates.size:
        return []
    rows, cols = np.unravel_index(candidates[rng.integers(candidates.size, size=n)], mask.shape)
    return list(zip(rows.tolist(), cols.tolist(), strict=True))
