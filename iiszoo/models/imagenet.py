"""ImageNet's statistics, with which most networks normalise their images."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1]."""


def normalise(image: Tensor) -> Tensor:
    """(image - mean) / std; image float (N, 3, h, w) or (3, h, w), RGB in [0, 1]."""
    mean, std = _statistics(image.device, image.dtype)
    return image.sub(mean).div_(std)


@functools.cache
def _statistics(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1); float32 constants even for a float64 image, as upstream's are. Made once: a copy to
    a GPU waits for all that runs there, and cannot be part of a CUDA graph.
    """
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (MEAN, STD))
        return mean.to(device, dtype), std.to(device, dtype)
