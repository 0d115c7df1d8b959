"""Object-contextual representations (OCR, arXiv 1909.11065): each pixel's features, joined by those of its object.

1. *Soft object regions*: a coarse score map per class, `(N, K, h, w)`.
2. `gather_objects`: one vector per class, the mean of the pixels' features weighted by the region.
3. `ObjectAttention`: each pixel attends to the objects and receives a mixture of their vectors.
4. `ObjectContext`: pixel features and context, mixed by one convolution.

Parameter names are the official ones: those of SamsungLabs/ritm_interactive_segmentation at b9b4460,
`isegm/model/modeling/ocr.py`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def conv_bn(in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution without bias and its batch norm. Sizes h become ceil(h / stride)."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels)]


def gather_objects(pixels: Tensor, regions: Tensor) -> Tensor:
    """Object vectors (N, C, K, 1): the pixels' features (N, C, h, w) weighted by the softmax of `regions` (N, K, h, w)
    over the pixels."""
    weights = regions.flatten(2).softmax(dim=2)
    return torch.matmul(pixels.flatten(2), weights.transpose(1, 2)).unsqueeze(3)


def _pointwise(*channels: int) -> list[nn.Module]:
    """1x1 convolutions from each number of channels to the next, each followed by batch norm and ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        conv, norm = conv_bn(before, after, kernel_size=1)
        layers += [conv, nn.Sequential(norm, nn.ReLU(inplace=True))]
    return layers


class ObjectAttention(nn.Module):
    """The context of each pixel: scaled dot-product attention with pixels as queries, objects as keys and values."""

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.f_pixel = nn.Sequential(*_pointwise(channels, key_channels, key_channels))
        self.f_object = nn.Sequential(*_pointwise(channels, key_channels, key_channels))
        self.f_down = nn.Sequential(*_pointwise(channels, key_channels))
        self.f_up = nn.Sequential(*_pointwise(key_channels, channels))

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        """Pixels (N, C, h, w), objects (N, C, K, 1) -> context (N, C, h, w)."""
        # softmax over one object is 1: attention changes nothing, except what batch norms learn from it in training
        if objects.shape[2] == 1 and not self.training:
            answer: Tensor = self.f_up(self.f_down(objects))
            return answer.expand(-1, -1, *pixels.shape[2:])
        query = self.f_pixel(pixels).flatten(2)
        key = self.f_object(objects).flatten(2)
        value = self.f_down(objects).flatten(2)
        relation = (torch.matmul(key.transpose(1, 2), query) * key.shape[1] ** -0.5).softmax(dim=1)
        context: Tensor = self.f_up(torch.matmul(value, relation).view(*value.shape[:2], *pixels.shape[2:]))
        return context


class ObjectContext(nn.Module):
    """Pixel features augmented by the features of their objects. Channels in = channels out."""

    def __init__(self, channels: int, key_channels: int, dropout: float = 0.05) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention(channels, key_channels)
        self.conv_bn_dropout = nn.Sequential(*_pointwise(2 * channels, channels), nn.Dropout2d(dropout))

    def forward(self, pixels: Tensor, objects: Tensor) -> Tensor:
        """Pixels (N, C, h, w), objects (N, C, K, 1) -> (N, C, h, w)."""
        context = self.object_context_block(pixels, objects)
        augmented: Tensor = self.conv_bn_dropout(torch.cat([context, pixels], dim=1))
        return augmented
