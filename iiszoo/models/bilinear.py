"""Bilinear resizing as products of matrices, and the convolution of resized maps at their own sizes.

Resizing is linear along rows and along columns: of a map x (h, w) it makes R x C^T, with R (H, h) and C (W, w). A
convolution reads the resized map shifted by each tap of its kernel, and a shift is one of the rows of R and C:

    y = sum over maps x and taps i, j of R_i (W_ij x) C_j^T

The products W_ij x are those of a 1 x 1 convolution of the small map, and the rest are products of narrow matrices: at
an eighth of the size a twentieth of the arithmetic. That is for export: onnxruntime gains by it, torch does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

_CHANNELS = 4
"""onnxruntime convolves in its fast order of memory if the channels are a multiple of this."""


def bilinear_weights(places: Tensor, n: int) -> Tensor:
    """(..., n): how much each of n values contributes at `places` (...), from 0 to n - 1."""
    return F.relu(1 - (places[..., None] - torch.arange(n)).abs())


def resizing_matrix(size: int, n: int, taps: int = 1) -> Tensor:
    """(size, taps n): resizing of n values to `size` with aligned corners, once for each tap of a kernel. Row r of the
    part of tap i yields the value at r + i - taps // 2, and 0 outside.
    """
    last = torch.arange(size)[-1]
    rows = torch.arange(size)[:, None] + torch.arange(taps) - taps // 2
    weights = bilinear_weights(rows * (n - 1) / last.clamp(min=1), n)
    return (weights * ((rows >= 0) & (rows <= last))[..., None]).flatten(1)


def convolve_resized(convolution: nn.Conv2d, norm: nn.BatchNorm2d, maps: Sequence[Tensor], direct: int) -> Tensor:
    """`norm(convolution(resized and concatenated maps))`, (N, D, H, W), in evaluation.

    `maps`: (N, C_i, h_i, w_i), resized with aligned corners to (H, W), the size of the first. The first `direct` of
    them, which are not much smaller, are resized and convolved as they are.
    """
    taps, (height, width) = convolution.kernel_size[0], maps[0].shape[2:]
    weight, bias = _folded(convolution, norm)
    ends = [*accumulate(int(x.shape[1]) for x in maps)]
    parts = [weight[:, begin:end] for begin, end in pairwise([0, *ends])]

    enlarged = (F.interpolate(x, (height, width), mode="bilinear", align_corners=True) for x in maps[1:direct])
    large, kernel = torch.cat([maps[0], *enlarged], 1), weight[:, : ends[direct - 1]]
    more = (0, 0, 0, 0, 0, -kernel.shape[1] % _CHANNELS)
    total = F.conv2d(F.pad(large, more), F.pad(kernel, more), bias, padding=taps // 2)

    tall, across = [], []
    for x, kernel in zip(maps[direct:], parts[direct:], strict=True):
        h, w = x.shape[2:]
        products = F.conv2d(x, kernel.permute(0, 2, 3, 1).reshape(-1, kernel.shape[1], 1, 1))  # (N, D taps taps, h, w)
        products = products.reshape(x.shape[0], -1, taps, taps, h, w).transpose(3, 4)
        tall.append(resizing_matrix(height, h, taps) @ products.reshape(x.shape[0], -1, taps * h, taps * w))
        across.append(resizing_matrix(width, w, taps))
    return total + torch.cat(tall, 3) @ torch.cat(across, 1).T  # one product sums over the maps


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of both together, constants to a tracer: the exporter wants to know a kernel's shape."""
    names = ("running_mean", "running_var", "weight", "bias")
    of_norm = (norm.state_dict()[name] for name in names)
    values = (convolution.weight, convolution.state_dict()["bias"], *of_norm)
    kernel, offset, mean, variance, scale, shift = (torch.from_numpy(value.numpy(force=True)) for value in values)
    weight, bias = fuse_conv_bn_weights(kernel, offset, mean, variance, norm.eps, scale, shift)
    return weight.detach(), bias.detach()
