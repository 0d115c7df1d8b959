"""The first clicks of one training sample, from arrays: drawn in a DataLoader's worker.

    positives, negatives = deep_and_near(target, rng)

`target` bool (H, W); `valid` bool (H, W), False where no click may fall, or None. Clicks are (row, col). `of_batch`
adapts a function of `iiszoo.clicking.initial`, which takes batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iiszoo.clicking import initial
from iiszoo.clicking.batch_distance import squared_distance

Mask = NDArray[np.bool_]
Points = list[tuple[int, int]]
FirstClicks = Callable[[Mask, Mask | None, np.random.Generator], tuple[Points, Points]]


def deep_and_near(
    target: Mask,
    valid: Mask | None,
    rng: np.random.Generator,
    *,
    depth: float = 1 / 1.7,
    further: float = 0.6,
    negative: float = 0.5,
    gamma: float = 0.7,
    most: int = 12,
    near: float = 0.55,
) -> tuple[Points, Points]:
    """One positive click deep in the object, and often more clicks.

    The first is uniform over pixels whose distance inside the object exceeds `depth` times the greatest (RITM b9b4460,
    `MultiPointSampler`: 1 / 1.7). With probability `further`, more positive clicks follow, uniform over the object;
    with probability `negative`, negative clicks, each with probability `near` in a band 4 + 0.12 sqrt(area) pixels wide
    around the object, 3 pixels from its border, else anywhere outside. The number of either, 1 to `most`, is geometric:
    k has a probability proportional to `gamma`^k.
    """
    positives = _draw(deep_in(target, depth), 1, rng)
    if rng.random() < further:
        positives += _draw(target, _number(gamma, most, rng), rng)
    negatives: Points = []
    if rng.random() < negative:
        free = ~target if valid is None else ~target & valid
        n = _number(gamma, most, rng)
        n_near = int(rng.binomial(n, near))
        if n_near:
            width = 3 + 4 + 0.12 * math.sqrt(np.count_nonzero(target))
            # padded, so that the image's border is not the object's; exact, so that a resumed run equals a whole one
            beyond = math.ceil(width) + 1
            outside = squared_distance(np.pad(~target, beyond, constant_values=True))[beyond:-beyond, beyond:-beyond]
            negatives += _draw(free & (outside > 9) & (outside <= width**2), n_near, rng)
        negatives += _draw(free, n - n_near, rng)
    return positives, negatives


def deep_in(target: Mask, depth: float = 1 / 1.7) -> Mask:
    """Pixels whose distance inside the target exceeds `depth` times the greatest; beyond the image is outside."""
    squares = squared_distance(target)
    deep: Mask = squares > squares.max() * depth**2
    return deep


def of_batch(function: Callable[..., Any]) -> FirstClicks:
    """Adapt a function of `iiszoo.clicking.initial` to one sample."""

    def first(target: Mask, valid: Mask | None, rng: np.random.Generator, **options: Any) -> tuple[Points, Points]:
        ignore = None if valid is None else torch.from_numpy(~valid)[None, None]
        pcs, ncs = function(torch.from_numpy(target)[None, None], ignore=ignore, generators=[rng], **options)
        return [point for kind in pcs for point in kind[0]], [point for kind in ncs for point in kind[0]]

    return first


FIRST_CLICKS: dict[str, Callable[..., tuple[Points, Points]]] = {
    "deep-and-near": deep_and_near,
    "multi-point": of_batch(initial.multi_point),
    "jittered-grid": of_batch(initial.jittered_grid),
}


def _number(gamma: float, most: int, rng: np.random.Generator) -> int:
    return 1 + int(rng.choice(most, p=initial.geometric(gamma, most)))


def _draw(mask: Mask, n: int, rng: np.random.Generator) -> Points:
    """`n` pixels of the mask, each uniform; none if it is empty."""
    pixels = np.flatnonzero(mask)
    if not pixels.size or not n:
        return []
    rows, cols = np.divmod(pixels[rng.integers(pixels.size, size=n)], mask.shape[1])
    return list(zip(rows.tolist(), cols.tolist(), strict=True))
