"""The encoder: ResNet-50 (He et al., arXiv 1512.03385) at stride 8, with GroupNorm and standardised weights.

As in upstream (`networks/resnet_GN_WS.py` and `ResnetDilated` in `networks/models.py` of
MarcoForte/DeepInteractiveSegmentation at ddd7426); the modules' names are the keys of its checkpoints.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from iiszoo_gto99.standardised import StandardisedConv2d

EXPANSION = 4


class Features(NamedTuple):
    """The encoder's output for an input (B, C, H, W), H and W multiples of 8."""

    stem: Tensor  # (B, 64, H/2, W/2)
    layer1: Tensor  # (B, 256, H/4, W/4)
    layer4: Tensor  # (B, 2048, H/8, W/8)


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and a shortcut; the 3x3 convolution has the stride and the dilation."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = EXPANSION * planes
        self.conv1 = StandardisedConv2d(inputs, planes, 1, bias=False)
        self.bn1 = group_norm(planes)
        self.conv2 = StandardisedConv2d(planes, planes, 3, stride, dilation, dilation, bias=False)
        self.bn2 = group_norm(planes)
        self.conv3 = StandardisedConv2d(planes, outputs, 1, bias=False)
        self.bn3 = group_norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            shortcut = StandardisedConv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, group_norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        x += shortcut
        answer: Tensor = self.relu(x)
        return answer


class Encoder(nn.Module):
    """`channels`: of the input, the normalised image first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = StandardisedConv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = group_norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        # Dilation replaces the last two strides. The block that had the stride keeps the previous dilation.
        self.layer3 = _stage(512, 256, blocks=6, first_dilation=1, dilation=2)
        self.layer4 = _stage(1024, 512, blocks=3, first_dilation=2, dilation=4)

    def forward(self, x: Tensor) -> Features:
        stem = self.relu(self.bn1(self.conv1(x)))
        layer1 = self.layer1(self.maxpool(stem))
        return Features(stem, layer1, self.layer4(self.layer3(self.layer2(layer1))))


def _stage(
    inputs: int, planes: int, blocks: int, stride: int = 1, first_dilation: int = 1, dilation: int = 1
) -> nn.Sequential:
    first = Bottleneck(inputs, planes, stride, first_dilation)
    rest = [Bottleneck(EXPANSION * planes, planes, 1, dilation) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)
