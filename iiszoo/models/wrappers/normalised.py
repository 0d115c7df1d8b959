"""What the wrappers of all libraries share: a library's network, and the normalisation of its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NEW_CHANNELS = 0.01
"""Standard deviation of the initial filters of channels that a network was not pretrained on."""


class Normalised(nn.Module):
    """`whole`, the library's network, and the mean and std of its input."""

    mean: Tensor
    std: Tensor

    def __init__(self, whole: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.whole = whole
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def normalised(self, image: Tensor) -> Tensor:
        return (image - self.mean.to(image.dtype)) / self.std.to(image.dtype)
