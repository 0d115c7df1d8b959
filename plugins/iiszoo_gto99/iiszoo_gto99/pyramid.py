"""Pyramid pooling (Zhao et al., arXiv 1612.01105): feature maps beside their means over 1, 4, 9 and 36 parts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iiszoo_gto99.standardised import StandardisedConv2d


class PyramidConv2d(StandardisedConv2d):
    """The 3x3 convolution over feature maps concatenated with the enlarged pooled maps."""

    def forward(self, x: Tensor, *pooled: Tensor) -> Tensor:
        """(B, out, H, W) of feature maps (B, C, H, W) and pooled maps (B, C_i, S_i, S_i), channels in that order.

        The pooled maps are never enlarged. Enlarging and convolution are linear: each of the nine taps acts on the few
        pooled pixels, and its result is enlarged, shifted by the tap's offset, and added. This is the same sum in
        another order, without convolving a third of the channels at full size.
        """
        first, *kernels = torch.split(self.kernel(), [part.shape[1] for part in (x, *pooled)], dim=1)
        answer: Tensor = self._conv_forward(x, first, self.bias)
        for small, kernel in zip(pooled, kernels, strict=True):
            taps = torch.einsum("oiyx,bisr->boyxsr", kernel, small)
            down, across = (_moved_enlargement(small, n) for n in x.shape[-2:])
            answer += torch.einsum("boyxsr,ysh,xrw->bohw", taps, down, across)
        return answer


def _moved_enlargement(small: Tensor, n: int) -> Tensor:
    """(3, S, n): the matrices that enlarge S pixels to n bilinearly and shift them by 1, 0 and -1, zero-filled."""
    side = small.shape[-1]
    identity = torch.eye(side, dtype=small.dtype, device=small.device)
    wide = F.pad(F.interpolate(identity[None], n, mode="linear", align_corners=False)[0], (1, 1))
    return torch.stack([wide[:, tap : tap + n] for tap in range(3)])
