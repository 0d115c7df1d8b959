"""ImageNet's statistics, with which most networks normalise their images."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1]."""


def normalise(image: Tensor) -> Tensor:
    """(image - mean) / std; image float (N, 3, h, w) or (3, h, w), RGB in [0, 1]."""
    # float32 constants even for a float64 image, as upstream's are
    mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1).to(image) for values in (MEAN, STD))
    return image.sub(mean).div_(std)
