"""FocalClick's refiner: the second, smaller network, which sees the focus crop at full resolution.

Source: `RefineLayer` (`isegm/model/is_segformer_model.py`, `is_hrnet_model.py`) of alibaba/ClickSEG at d61a76b (arXiv
2204.02574). Everything is enlarged with align_corners=True.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from iiszoo.models.bilinear import bilinear_weights

WIDTH = 32


class ConvNormReLU(nn.Module):
    """Convolution, BatchNorm, ReLU: (B, C, H, W) -> (B, D, H / stride, W / stride)."""

    def __init__(self, in_channels: int, channels: int, window: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, window, stride, window // 2)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(maps)))


def separable(channels: int) -> nn.Sequential:
    """Depthwise 3 x 3, pointwise, BatchNorm, ReLU: (B, C, H, W) -> (B, C, H, W)."""
    return nn.Sequential(
        OrderedDict(
            conv3x3=nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            conv1x1=nn.Conv2d(channels, channels, 1),
            norm=nn.BatchNorm2d(channels),
            activation=nn.ReLU(),
        )
    )


class Refiner(nn.Module):
    """Refines the coarse logits in one box of each image, weighted by its own uncertainty map (upstream: trimap).

    `feature_channels`: of the coarse network's features. `unused_gate`: SegFormer's checkpoints have a gate that
    upstream never applies; it exists only so that they load strictly.
    """

    def __init__(self, feature_channels: int, unused_gate: bool) -> None:
        super().__init__()
        self.image_conv1 = ConvNormReLU(6, WIDTH, 3, stride=2)
        self.image_conv2 = separable(WIDTH)
        self.image_conv3 = separable(WIDTH)
        self.refine_fusion = ConvNormReLU(feature_channels, WIDTH, 1)
        self.refine_fusion2 = separable(WIDTH)
        self.refine_fusion3 = separable(WIDTH)
        if unused_gate:
            self.feature_gate = nn.Sequential(nn.Conv2d(WIDTH, 1, 1), nn.Sigmoid())
        self.refine_pred = nn.Conv2d(WIDTH, 1, 3, padding=1)
        self.refine_trimap = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, crop: Tensor, disks: Tensor, features: Tensor, logits: Tensor, boxes: Tensor) -> Tensor:
        """Refined logits (B, 1, h, w) of the crops; arguments as for `FocalClick.refine`."""
        size = crop.shape[2:]
        rois = torch.cat([torch.arange(boxes.shape[0], device=boxes.device, dtype=boxes.dtype)[:, None], boxes], dim=1)
        coarse = _sampled(logits, rois, size)
        context = self._context(features, rois, scale=features.shape[3] / logits.shape[3])

        detail = torch.cat([crop, disks, coarse.sigmoid()], dim=1).contiguous(memory_format=torch.channels_last)
        detail = self.image_conv3(self.image_conv2(self.image_conv1(detail)))
        detail = detail + F.interpolate(context, detail.shape[2:], mode="bilinear", align_corners=True)
        detail = self.refine_fusion3(self.refine_fusion2(detail))

        answers = F.interpolate(self._answers(detail), size, mode="bilinear", align_corners=True)
        fine, doubt = answers[:, :1], answers[:, 1:].sigmoid()
        return fine * doubt + coarse * (1 - doubt)

    def _context(self, features: Tensor, rois: Tensor, scale: float) -> Tensor:
        """The coarse network's features in the boxes, (B, WIDTH, h, w) with h and w of `features`.

        Upstream cuts the boxes out first and then convolves. The convolution is 1 x 1 and the weights of a bilinear
        sample sum to 1, so the order does not matter; this order samples ten times fewer channels.
        """
        fusion = self.refine_fusion
        context = _sampled(fusion.conv(features), rois, features.shape[2:], scale)
        return F.relu(fusion.norm(context.contiguous(memory_format=torch.channels_last)))

    def _answers(self, detail: Tensor) -> Tensor:
        """`refine_pred` and `refine_trimap` (B, 2, h, w) in one convolution, which takes as long as either of them."""
        heads = (self.refine_pred, self.refine_trimap)
        weight, bias = (torch.cat([head.get_parameter(name) for head in heads]) for name in ("weight", "bias"))
        return F.conv2d(detail, weight, bias, padding=1)


def _sampled(maps: Tensor, rois: Tensor, size: Sequence[int], scale: float = 1.0) -> Tensor:
    """`roi_align`, in the type of the boxes: rounded like maps of a short type they would be pixels off."""
    if torch.onnx.is_in_onnx_export():
        return _product(maps, rois[:, 1:] * scale, size)
    found: Tensor = roi_align(maps.to(rois.dtype), rois, size, spatial_scale=scale, aligned=True)
    return found.to(maps.dtype)


def _product(maps: Tensor, boxes: Tensor, size: Sequence[int]) -> Tensor:
    """`roi_align` of a box (B, 4) in each of the maps (B, C, h, w), no larger than `size`: then it takes one sample per
    pixel, bilinearly; an empty box gives 0. As products of matrices, which onnxruntime computes in half the time.
    """
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    down = _samples(top, bottom, maps.shape[2], size[0])
    across = _samples(left, right, maps.shape[3], size[1])
    return down[:, None] @ maps @ across[:, None].transpose(2, 3)


def _samples(first: Tensor, last: Tensor, n: int, size: int) -> Tensor:
    """(B, size, n): `size` samples between `first` and `last` (B, 1), edges of pixels, along a side of n pixels."""
    centres = first + (torch.arange(size) + 0.5) * ((last - first) / size) - 0.5
    return bilinear_weights(centres.clamp(min=0).clamp(max=n - 1), n) * (last > first)[..., None]
