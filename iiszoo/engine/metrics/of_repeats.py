"""Metrics of robustness: how one model's results depend on who clicks. Arrays are (runs, samples).

Source: RClicks (arXiv 2410.11722), `compute_benchmark_metrics.ipynb` of emb-ai/rclicks at e20bf76, whose runs are ten
groups of clicks, from likely to unlikely ones, of its own model of clicks; here they are any robots or seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def noise_to_signal(values: NDArray[np.float64]) -> float:
    """NSR: a sample's standard deviation over runs (divided by their number), over its mean; averaged over samples.

    A sample whose values are all 0 counts as 0; there a mean of 0 has no ratio.
    """
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    return float(np.mean(np.divide(deviation, mean, out=np.zeros_like(mean), where=mean != 0)))


def worst_beside_best(clicks: NDArray[np.float64]) -> float | None:
    """dGR: (worst - best) / best of each sample's clicks, averaged over samples; worst and best are the runs with the
    highest and the lowest mean. There they are the least and the most likely group.
    """
    means = clicks.mean(axis=1)
    return _more(clicks[means.argmax()], clicks[means.argmin()])


def beside_base(clicks: NDArray[np.float64], base: NDArray[np.float64]) -> float | None:
    """dSB: (sample - base) / base of each sample's clicks, averaged over samples; `base` (samples,) are the clicks with
    the field's robot, "sample" is the mean over runs.
    """
    return _more(clicks.mean(axis=0), base)


def mean_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean over runs and samples, and a sample's standard deviation over runs, averaged over samples."""
    return float(values.mean()), float(values.std(axis=0).mean())


def _more(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """The mean of (a - b) / b; samples that need no click (b is 0) are left out. None if that are all."""
    known = b > 0
    return float(np.mean((a[known] - b[known]) / b[known])) if known.any() else None
