"""The decoder behind `iiszoo.models.windowed_vit`: the simple feature pyramid, and how a head mixes its levels.

Source: SimpleClick (arXiv 2210.11006); `SimpleFPN` of `isegm/model/is_plainvit_model.py` and `SwinTransfomerSegHead` of
`isegm/model/modeling/swin_transformer.py` of uncbiag/SimpleClick at f33112e. SegNext (uncbiag/SegNext at 4c45ce8,
`SimpleFPN` and `SegmentationHead` of `isegm/model/is_plainvit_model.py`) has the same. The head is SegFormer's (arXiv
2105.15203) with a ReLU after each convolution and no norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MapNorm(nn.GroupNorm):
    """A norm over channels and pixels together: `GroupNorm(1, channels)`.

    On a GPU torch's own copies channels-last maps into its order and reduces a whole map in one block of threads: a
    quarter of the time of `simpleclick/vit-b` with 32 sessions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, maps: Tensor) -> Tensor:
        if not maps.is_cuda:
            return super().forward(maps)
        variance, mean = torch.var_mean(maps, dim=(1, 2, 3), correction=0, keepdim=True)
        scale = self.weight[:, None, None] * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias[:, None, None] - mean * scale, maps, scale)


class SimpleFeaturePyramid(nn.Module):
    """Four maps, 4, 2, 1 and 1/2 times the size of the backbone's single map, each computed from it.

    `dim`: channels of the backbone; `channels`: of the four maps. The levels are named after their stride in the image
    for patches of 16 pixels.
    """

    def __init__(self, dim: int, channels: Sequence[int]) -> None:
        super().__init__()
        c4, c8, c16, c32 = channels
        finer, fine, coarse = max(2 * c4, dim // 2), max(c8, dim // 2), max(c32, 2 * dim)
        self.down_4 = nn.Sequential(
            *(nn.ConvTranspose2d(dim, finer, 2, 2), MapNorm(finer), nn.GELU()),
            *(nn.ConvTranspose2d(finer, finer // 2, 2, 2), MapNorm(finer // 2)),
            *(nn.Conv2d(finer // 2, c4, 1), MapNorm(c4), nn.GELU()),
        )
        self.down_8 = nn.Sequential(
            *(nn.ConvTranspose2d(dim, fine, 2, 2), MapNorm(fine)),
            *(nn.Conv2d(fine, c8, 1), MapNorm(c8), nn.GELU()),
        )
        self.down_16 = nn.Sequential(nn.Conv2d(dim, c16, 1), MapNorm(c16), nn.GELU())
        self.down_32 = nn.Sequential(
            *(nn.Conv2d(dim, coarse, 2, 2), MapNorm(coarse)),
            *(nn.Conv2d(coarse, c32, 1), MapNorm(c32), nn.GELU()),
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """(N, dim, h, w) -> maps of 4h x 4w, 2h x 2w, h x w and h/2 x w/2 (rounded down)."""
        return [self.down_4(features), self.down_8(features), self.down_16(features), self.down_32(features)]


class ConvReLU(nn.Module):
    """A 1 x 1 convolution and a ReLU."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.conv(maps))


class LevelMixing(nn.Module):
    """Each level embedded in `width` channels, enlarged to the finest one's size, concatenated, mixed. A family's head
    is a subclass with a last convolution, under the family's own name.

    Mixing is linear and per pixel, so it commutes with enlarging, whose weights sum to 1: each level is mixed at its
    own size, and the enlarged results are added. This is the published function with a third of the mixing's arithmetic
    and without a map of 4 `width` channels.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(ConvReLU(n, width) for n in channels)
        self.fusion_conv = ConvReLU(4 * width, width)

    def mixed(self, levels: Sequence[Tensor]) -> Tensor:
        """Features (N, width, 4h, 4w) of the pyramid's maps, from fine to coarse."""
        mixing = self.fusion_conv.conv
        biases = (mixing.bias, None, None, None)
        mixed = [
            F.conv2d(embed(maps), weight, bias)
            for embed, maps, weight, bias in zip(self.convs, levels, mixing.weight.chunk(4, dim=1), biases, strict=True)
        ]
        features = mixed[0]
        for maps in mixed[1:]:
            features = features + F.interpolate(maps, features.shape[2:], mode="bilinear", align_corners=False)
        return F.relu(features)
