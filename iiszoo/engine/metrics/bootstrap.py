"""Bootstrap intervals: of a mean, of a paired difference, of what an arm of a campaign saves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 10_000
LEVEL = 0.95
_AT_ONCE = 500
"""Draws computed together: memory for 500 x images numbers."""


@dataclass(frozen=True)
class Interval:
    """An estimate, and the interval that the bootstrap gives for it at `LEVEL`."""

    value: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


def mean(values: NDArray[np.float64]) -> Interval | None:
    """The mean of `values` (n,), samples drawn with replacement; None for fewer than two.

    The mean of a paired difference is that of two runs' values on the same samples, subtracted: a drawn sample counts
    in both. Percentile intervals (Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics
    7(1), 1979) of 10,000 draws from a fixed generator. All that matters of a draw is how often it has each distinct
    value, which is multinomial: whole clicks have few of them, so the number of samples hardly costs anything.
    """
    if len(values) < 2:
        return None
    kinds, counts = np.unique(values, return_counts=True)
    rng = np.random.default_rng(0)
    drawn = [
        rng.multinomial(len(values), counts / len(values), size=min(_AT_ONCE, DRAWS - begin)) @ kinds / len(values)
        for begin in range(0, DRAWS, _AT_ONCE)
    ]
    return Interval(float(np.mean(values)), *_limits(np.concatenate(drawn)))


def saved(base: NDArray[np.float64], arm: NDArray[np.float64], counted: NDArray[np.bool_]) -> Interval | None:
    """The share of `base` that `arm` saves, 1 - sum(arm) / sum(base) over what is `counted`; all (seeds, images).

    Images, and seeds if there are several, are drawn with replacement, independently (the crossed bootstrap of Owen,
    "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007); a drawn image counts in both arms: the
    difference is paired. Percentile intervals of 10,000 draws from a fixed generator. None if `base` sums to nothing.
    """
    base, arm = np.where(counted, base, 0.0), np.where(counted, arm, 0.0)
    if not base.sum() > 0:
        return None
    n_seeds, n_images = base.shape
    rng = np.random.default_rng(0)
    shares = []
    for begin in range(0, DRAWS, _AT_ONCE):
        n = min(_AT_ONCE, DRAWS - begin)
        images = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=n).astype(np.float64)
        seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n).astype(np.float64)
        whole = np.einsum("ds,ds->d", images @ base.T, seeds)
        rest = np.einsum("ds,ds->d", images @ arm.T, seeds)
        shares.append(1 - rest[whole > 0] / whole[whole > 0])
    return Interval(float(1 - arm.sum() / base.sum()), *_limits(np.concatenate(shares)))


def _limits(draws: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
