"""The guided filter (He, Sun and Tang, PAMI 2013): an output whose edges follow those of a guide."""

from __future__ import annotations

import torch
from torch import Tensor


def guided_filter(guide: Tensor, values: Tensor, radius: int = 2, epsilon: float = 1e-8) -> Tensor:
    """Approximate `values`, in each window, by the best-fitting linear function of `guide`; both (B, 1, H, W).

    Windows are squares with sides of 2 `radius` + 1 pixels, clipped to the image; H and W must be larger than that.
    `epsilon` keeps the slope small where the guide is flat.

    Where the guide is flat, the variance is a difference of nearly equal numbers, so the result depends on how the sums
    are rounded. The weights were trained with sums computed as differences of cumulative sums in the values' own dtype,
    so this does the same (guided_filter_pytorch, which MarcoForte/DeepInteractiveSegmentation uses at ddd7426).
    """
    count = box_sums(torch.ones_like(guide[:1]), radius)
    terms = torch.cat([guide, values, guide * values, guide * guide], dim=1)
    mean_guide, mean_values, mean_product, mean_square = (box_sums(terms, radius) / count)[:, :, None].unbind(1)
    covariance = mean_product - mean_guide * mean_values
    variance = mean_square - mean_guide * mean_guide
    slope = covariance / (variance + epsilon)
    offset = mean_values - slope * mean_guide
    mean_slope, mean_offset = (box_sums(torch.cat([slope, offset], dim=1), radius) / count)[:, :, None].unbind(1)
    answer: Tensor = mean_slope * guide + mean_offset
    return answer


def box_sums(x: Tensor, radius: int) -> Tensor:
    """The sum of the window around each pixel of x (B, C, H, W): first along columns, then along rows."""
    return _window_sums(_window_sums(x, radius, dim=2), radius, dim=3)


def _window_sums(x: Tensor, radius: int, dim: int) -> Tensor:
    n, side = x.shape[dim], 2 * radius + 1
    sums = x.cumsum(dim)
    begin = sums.narrow(dim, radius, radius + 1)
    middle = sums.narrow(dim, side, n - side) - sums.narrow(dim, 0, n - side)
    end = sums.narrow(dim, n - 1, 1) - sums.narrow(dim, n - side, radius)
    return torch.cat([begin, middle, end], dim)
