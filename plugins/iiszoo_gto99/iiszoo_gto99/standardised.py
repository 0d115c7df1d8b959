"""Weight standardisation (Qiao et al., arXiv 1903.10520), in the form used to train GTO99's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def standardise(weight: Tensor) -> Tensor:
    """Each output channel's weights (its row of (out, in, kh, kw)) with mean 0 and standard deviation 1.

    Both epsilons are upstream's: (w - mean) / (sqrt(unbiased variance + 1e-12) + 1e-5) (`networks/layers_WS.py` of
    MarcoForte/DeepInteractiveSegmentation at ddd7426).
    """
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True)
    standardised: Tensor = (weight - mean) / ((variance + 1e-12).sqrt() + 1e-5)
    return standardised


class StandardisedConv2d(nn.Conv2d):
    """A convolution with standardised weights: standardised in every call, for training, or once, by `fold`."""

    folded = False

    def kernel(self) -> Tensor:
        """The kernel to convolve with, (out, in, kh, kw)."""
        return self.weight if self.folded else standardise(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self._conv_forward(x, self.kernel(), self.bias)
        return answer


def fold(network: nn.Module) -> None:
    """Replace the weights of every `StandardisedConv2d` in `network` by the standardised ones, permanently.

    Outputs stay bit-identical. The state dict keeps its keys but no longer has the trained weights.
    """
    for convolution in network.modules():
        if isinstance(convolution, StandardisedConv2d) and not convolution.folded:
            convolution.weight = nn.Parameter(standardise(convolution.weight.detach()), requires_grad=False)
            convolution.folded = True
