"""Colours of an image: Lab, and how much likelier a colour is in one region than in another."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

# Added to the share of every colour, so that an unseen colour favours neither region.
_LEAST_SHARE = 1e-5
# The least extent of a histogram, in Lab units: a nearly flat image is not split into bins of noise.
_LEAST_EXTENT = 30.0


def to_lab(image: NDArray[Any]) -> NDArray[Any]:
    """CIE Lab, float32 (H, W, 3): L in [0, 100], a and b in about [-110, 110]; from RGB in [0, 1]."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2Lab))


def colour_bins(labs: list[NDArray[Any]], n: int) -> list[NDArray[Any]]:
    """The bin of each pixel, int64 (H_i, W_i), in one histogram of n x n x n bins that spans the colours of all `labs`.

    `labs` float32 (H_i, W_i, 3): one image at several sizes, so that their bins mean the same.
    """
    low = np.min([lab.min((0, 1)) for lab in labs], axis=0)
    high = np.max([lab.max((0, 1)) for lab in labs], axis=0)
    centre = (low + high) / 2
    low, high = np.minimum(low, centre - _LEAST_EXTENT / 2), np.maximum(high, centre + _LEAST_EXTENT / 2)
    bins = []
    for lab in labs:
        index = np.clip(((lab - low) / (high - low) * n).astype(np.int64), 0, n - 1)
        bins.append((index[..., 0] * n + index[..., 1]) * n + index[..., 2])
    return bins


def log_likelihood_ratio(bins: NDArray[Any], n: int, belief: NDArray[Any], sigma: float) -> NDArray[Any]:
    """log p(colour | object) - log p(colour | background) of each bin, float32 (n^3,).

    `bins` int64 (H, W); `belief` float32 (H, W) in [0, 1]: the weight of a pixel as a sample of the object, 1 minus it
    as one of the background. The two histograms (Boykov & Jolly 2001) are smoothed by a Gaussian of `sigma` bins.
    """
    logs = []
    for weight in (belief, 1 - belief):
        counts = np.bincount(bins.ravel(), weight.ravel(), n**3).reshape(n, n, n).astype(np.float32)
        smooth = gaussian_filter(counts, sigma, mode="nearest", truncate=2.5)
        logs.append(np.log(smooth / max(float(smooth.sum()), 1e-9) + _LEAST_SHARE))
    return np.asarray((logs[0] - logs[1]).ravel())
