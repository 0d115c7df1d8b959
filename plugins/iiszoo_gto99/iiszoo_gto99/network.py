"""GTO99's network: from image, click maps and previous alpha to a new alpha.

`InteractiveSegNet` and `MattingModuleSingleGpu` (`networks/models.py`) of Getting to 99% Accuracy in Interactive
Segmentation (arXiv 2003.07932), MarcoForte/DeepInteractiveSegmentation at ddd7426; the modules' names are the keys of
its checkpoints.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo_gto99.encoder import Encoder, Features, group_norm
from iiszoo_gto99.guided_filter import guided_filter
from iiszoo_gto99.pyramid import PyramidConv2d
from iiszoo_gto99.standardised import StandardisedConv2d

N_MAPS = 6
"""Click maps: three widths for the negative clicks, then three for the positive ones."""


class Network(nn.Module):
    """`mask_input`: the network reads the previous alpha. `user_encoder`: a separate encoder reads click maps and
    previous alpha; without it the ResNet reads the previous alpha (it always reads the click maps). The published
    weights have both.
    """

    def __init__(self, mask_input: bool = True, user_encoder: bool = True) -> None:
        super().__init__()
        self.mask_in_encoder = mask_input and not user_encoder
        self.encoder = Encoder(3 + N_MAPS + self.mask_in_encoder)
        self.decoder = Decoder(mask_input, user_encoder)

    def forward(self, image: Tensor, maps: Tensor, previous: Tensor, clicked: Tensor) -> Tensor:
        """Alpha (B, 1, H, W) in [0, 1], H and W multiples of 32.

        `image` (B, 3, H, W), RGB, normalised with ImageNet's mean and deviation; `maps` (B, 6, H, W) in [0, 1],
        negative first; `previous` (B, 1, H, W), about [0, 1]; `clicked` bool (B, 2, H, W): pixels clicked negative,
        positive.
        """
        inputs = [image, maps, previous] if self.mask_in_encoder else [image, maps]
        answer: Tensor = self.decoder(self.encoder(torch.cat(inputs, 1)), image, maps, previous, clicked)
        return answer


class UserFeatures(NamedTuple):
    """The user encoder's output for an input (B, C, H, W)."""

    half: Tensor  # (B, 64, H/2, W/2)
    quarter: Tensor  # (B, 256, H/4, W/4)
    eighth: Tensor  # (B, 256, H/8, W/8)


class UserEncoder(nn.Module):
    """Six plain convolutions without norm, so that the clicks reach the decoder undiluted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(64, 128, 3, padding=1)
        self.conv4 = nn.Conv2d(128, 256, 3, stride=2, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, stride=2, padding=1)
        self.conv6 = nn.Conv2d(256, 256, 3, padding=1)

    def forward(self, x: Tensor) -> UserFeatures:
        half = F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x))))
        quarter = F.leaky_relu(self.conv4(F.leaky_relu(self.conv3(half))))
        return UserFeatures(half, quarter, F.leaky_relu(self.conv6(F.leaky_relu(self.conv5(quarter)))))


class Decoder(nn.Module):
    """Pyramid pooling, three steps up to full resolution, clicks, guided filter."""

    def __init__(self, mask_input: bool = True, user_encoder: bool = True) -> None:
        super().__init__()
        self.mask_input = mask_input
        self.usr_encoder = UserEncoder(N_MAPS + mask_input) if user_encoder else None
        half, quarter, eighth = (64, 256, 256) if user_encoder else (0, 0, 0)
        deep = 2048 + eighth
        self.ppm = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *_standardised(deep, 256, 1)) for side in (1, 2, 3, 6)
        )
        fuse = PyramidConv2d(deep + 4 * 256, 256, 3, padding=1)
        self.conv_up1 = nn.Sequential(fuse, *_norm(256), *_standardised(256, 256, 3))
        self.conv_up2 = nn.Sequential(*_standardised(256 + 256 + quarter, 256, 3))
        self.conv_up3 = nn.Sequential(*_standardised(256 + 64 + half, 64, 3))
        self.conv_up4 = nn.Sequential(
            nn.Conv2d(64 + 3 + N_MAPS, 32, 3, padding=1),
            nn.LeakyReLU(inplace=True),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.LeakyReLU(inplace=True),
            nn.Conv2d(16, 1, 1),
        )
        self.guided_map_conv1 = nn.Conv2d(3 + 2, 64, 1)
        self.guided_map_conv2 = nn.Conv2d(64, 1, 1)

    def forward(self, features: Features, image: Tensor, maps: Tensor, previous: Tensor, clicked: Tensor) -> Tensor:
        half, quarter, eighth = [features.stem], [features.layer1], [features.layer4]
        if self.usr_encoder is not None:
            user = self.usr_encoder(torch.cat([maps, previous], 1) if self.mask_input else maps)
            half, quarter, eighth = [*half, user.half], [*quarter, user.quarter], [*eighth, user.eighth]
        deep = torch.cat(eighth, 1)
        x = self.conv_up1[1:](self.conv_up1[0](deep, *(pool(deep) for pool in self.ppm)))
        x = self.conv_up2(torch.cat([_resize(x, quarter[0]), *quarter], 1))
        x = self.conv_up3(torch.cat([_resize(x, half[0]), *half], 1))
        alpha = self.conv_up4(torch.cat([_resize(x, image), image, maps], 1)).clamp(0, 1)
        alpha = alpha.masked_fill(clicked[:, :1], 0).masked_fill(clicked[:, 1:], 1)
        # The guide sees the image and the narrowest map of each kind.
        guide = self.guided_map_conv2(F.relu(self.guided_map_conv1(torch.cat([image, maps[:, ::3]], 1))))
        return guided_filter(guide, alpha).clamp(0, 1)


def _standardised(inputs: int, outputs: int, side: int) -> tuple[nn.Module, ...]:
    convolution = StandardisedConv2d(inputs, outputs, side, padding=side // 2)
    return convolution, *_norm(outputs)


def _norm(channels: int) -> tuple[nn.Module, ...]:
    return group_norm(channels), nn.LeakyReLU(inplace=True)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
