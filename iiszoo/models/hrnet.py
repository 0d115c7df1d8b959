"""HRNet (arXiv 1908.07919) with an OCR head (arXiv 1909.11065), as RITM and FocalClick use it to segment one object.

The stem reduces the image to a quarter of its size. From there, up to four branches run in parallel at 1/4, 1/8, 1/16
and 1/32, with 1, 2, 4 and 8 times `width` channels; after every block each branch receives all others. At the end all
are resized to 1/4 and concatenated: 15 `width` channels.

Clicks enter where RITM (arXiv 2102.06583, section 3.1, "Conv1S") found it best: `click_branch` embeds their maps, and
the result is added to the output of the stem's first convolution, so that weights trained without clicks can be used.

Parameter names are the official ones: those of SamsungLabs/ritm_interactive_segmentation at b9b4460
(`isegm/model/modeling/hrnet_ocr.py`), which alibaba/ClickSEG at d61a76b shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.models.bilinear import convolve_resized
from iiszoo.models.ocr import ObjectContext, conv_bn, gather_objects

STEM_CHANNELS = 64


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """x (N, C, h, w) at `size` (H, W): bilinear with aligned corners, as everywhere in these networks."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def click_branch(n_maps: int) -> nn.Sequential:
    """Embeds click maps (N, n_maps, h, w) as features to add in the stem (N, 64, ceil(h/2), ceil(w/2)).

    RITM's "Conv1S" branch: `maps_transform` of `isegm/model/is_model.py` at b9b4460, with `use_leaky_relu`.
    """
    return nn.Sequential(
        nn.Conv2d(n_maps, 16, kernel_size=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(16, STEM_CHANNELS, kernel_size=3, stride=2, padding=1),
        Scale(0.05),
    )


def _conv_bn_relu(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_bn(in_channels, out_channels, stride=stride), nn.ReLU(inplace=True))


def _halving(in_channels: int, out_channels: int, times: int) -> nn.Sequential:
    """Stride-2 convolutions; the last one changes the number of channels and has no ReLU, as a sum follows."""
    steps = [_conv_bn_relu(in_channels, in_channels, stride=2) for _ in range(times - 1)]
    return nn.Sequential(*steps, nn.Sequential(*conv_bn(in_channels, out_channels, stride=2)))


class Scale(nn.Module):
    """Multiplication by the absolute value of one learned number."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale.abs().squeeze()  # a number without axes: onnxruntime puts it into the convolution before


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1; its output has four times as many channels as its inner layers."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(in_channels, channels, kernel_size=1)
        self.conv2, self.bn2 = conv_bn(channels, channels)
        self.conv3, self.bn3 = conv_bn(channels, 4 * channels, kernel_size=1)
        same = in_channels == 4 * channels
        self.downsample = nn.Identity() if same else nn.Sequential(*conv_bn(in_channels, 4 * channels, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        return F.relu(y, inplace=True)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, channels)
        self.conv2, self.bn2 = conv_bn(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += x
        return F.relu(y, inplace=True)


class Fusion(nn.ModuleList):
    """The new branch number `target`: the sum of all branches, each converted to its size and channels."""

    def __init__(self, channels: Sequence[int], target: int) -> None:
        super().__init__()
        for branch, n in enumerate(channels):
            if branch < target:
                self.append(_halving(n, channels[target], times=target - branch))
            elif branch == target:
                self.append(nn.Identity())
            else:  # reduce channels before enlarging: cheaper than the reverse
                self.append(nn.Sequential(*conv_bn(n, channels[target], kernel_size=1)))
        self.target = target

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        size = branches[self.target].shape[2:]
        brought = (bring(x) for bring, x in zip(self, branches, strict=True))
        sized = (x if x.shape[2:] == size else resize(x, size) for x in brought)
        total = next(sized) + next(sized)  # a new tensor: the first may be the branch itself
        for x in sized:
            total += x
        return F.relu(total, inplace=True)


class MultiResolutionBlock(nn.Module):
    """Residual blocks on each branch, then the exchange between all branches."""

    def __init__(self, channels: Sequence[int], n_blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(n) for _ in range(n_blocks))) for n in channels)
        self.fuse_layers = nn.ModuleList(Fusion(channels, target) for target in range(len(channels)))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        branches = [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        return [fuse(branches) for fuse in self.fuse_layers]


class Transition(nn.ModuleList):
    """From one stage to the next: the branches with new numbers of channels, and one more at half the smallest size."""

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        super().__init__()
        for n, m in zip(before, after, strict=False):
            self.append(nn.Identity() if n == m else _conv_bn_relu(n, m))
        self.append(nn.Sequential(_conv_bn_relu(before[-1], after[-1], stride=2)))

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        return [change(x) for change, x in zip(self, [*branches, branches[-1]], strict=True)]


class HRNet(nn.Module):
    """The backbone.

    Args:
        width: channels of the branch at a quarter of the image's size; 18 or 32 in the published models.
        small: the variant with fewer blocks, "HRNet-W18-Small-V2", called h18s.
        multiple: the branches' channels are rounded up to multiples of it.
    """

    def __init__(self, width: int, small: bool, multiple: int = 1) -> None:
        super().__init__()
        n_blocks = 2 if small else 4
        channels = [-(-width * factor // multiple) * multiple for factor in (1, 2, 4, 8)]
        self.channels = channels
        self.out_channels = sum(channels)
        self.conv1, self.bn1 = conv_bn(3, STEM_CHANNELS, stride=2)
        self.conv2, self.bn2 = conv_bn(STEM_CHANNELS, STEM_CHANNELS, stride=2)
        self.layer1 = nn.Sequential(Bottleneck(STEM_CHANNELS, 64), *(Bottleneck(256, 64) for _ in range(n_blocks - 1)))

        def stage(n_branches: int, n_modules: int) -> nn.Sequential:
            return nn.Sequential(*(MultiResolutionBlock(channels[:n_branches], n_blocks) for _ in range(n_modules)))

        self.transition1 = Transition([256], channels[:2])
        self.stage2 = stage(2, 1)
        self.transition2 = Transition(channels[:2], channels[:3])
        self.stage3 = stage(3, 3 if small else 4)
        self.transition3 = Transition(channels[:3], channels)
        self.stage4 = stage(4, 2 if small else 3)

    def branches(self, image: Tensor, click_features: Tensor) -> list[Tensor]:
        """Image (N, 3, h, w), normalised, and `click_branch`'s output -> the maps of the branches at 1/4 (ceil(h/4),
        ceil(w/4)), 1/8, 1/16 and 1/32."""
        x = F.relu(self.bn1(self.conv1(image)), inplace=True)
        x = x + click_features
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        branches = self.stage2(self.transition1([self.layer1(x)]))
        branches = self.stage3(self.transition2(branches))
        found: list[Tensor] = self.stage4(self.transition3(branches))
        return found


class Segmentation(NamedTuple):
    """The output of `HRNetOCR`, all at a quarter of the image's size; h/4 and w/4 are rounded up."""

    logits: Tensor
    """(N, 1, h/4, w/4): of the object."""
    aux_logits: Tensor
    """(N, 1, h/4, w/4): the backbone's own coarse segmentation, OCR's soft object region."""
    features: Tensor
    """(N, 2 ocr_width, h/4, w/4): the input of the last layer, which gives `logits`."""


def _convolved(layers: nn.Sequential, branches: Sequence[Tensor]) -> Tensor:
    """The first two layers, convolution and norm, of all branches together; those at 1/16 and 1/32 are small."""
    convolution, norm = layers[:2]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return convolve_resized(convolution, norm, branches, direct=2)


class HRNetOCR(HRNet):
    """HRNet with the OCR head, for one class: the object.

    Args:
        width, small, multiple: see `HRNet`.
        ocr_width: channels of OCR's keys; its features have twice as many.
    """

    def __init__(self, width: int, ocr_width: int, small: bool, multiple: int = 1) -> None:
        super().__init__(width, small, multiple)
        self.settings = width, ocr_width, small
        channels = self.out_channels
        self.conv3x3_ocr = nn.Sequential(
            nn.Conv2d(channels, 2 * ocr_width, kernel_size=3, padding=1),
            nn.BatchNorm2d(2 * ocr_width),
            nn.ReLU(inplace=True),
        )
        self.ocr_distri_head = ObjectContext(2 * ocr_width, ocr_width)
        self.cls_head = nn.Conv2d(2 * ocr_width, 1, kernel_size=1)
        self.aux_head = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 1, kernel_size=1),
        )

    def forward(self, image: Tensor, click_features: Tensor) -> Segmentation:
        """Image (N, 3, h, w), normalised; click features (N, 64, ceil(h/2), ceil(w/2)), from `click_branch`."""
        branches = self.branches(image, click_features)
        if torch.onnx.is_in_onnx_export():
            region = self.aux_head[2:](_convolved(self.aux_head, branches))
            pixels = self.conv3x3_ocr[2:](_convolved(self.conv3x3_ocr, branches))
        else:
            first, *others = branches
            backbone = torch.cat([first, *(resize(branch, first.shape[2:]) for branch in others)], dim=1)
            region, pixels = self.aux_head(backbone), self.conv3x3_ocr(backbone)
        features = self.ocr_distri_head(pixels, gather_objects(pixels, region))
        return Segmentation(self.cls_head(features), region, features)

    def with_padded_channels(self, multiple: int) -> HRNetOCR:
        """The same function, with branches of more channels: multiples of `multiple`, the new ones always zero."""
        padded = HRNetOCR(*self.settings, multiple).to(next(self.parameters())).train(self.training)
        state = padded.state_dict()
        for name, value in self.state_dict().items():
            new = state[name]
            if new.shape == value.shape:
                new.copy_(value)
                continue
            if not name.endswith("running_var"):  # 1 where there is nothing, as torch has it
                new.zero_()
            olds, targets = [value], [new]
            if name in ("conv3x3_ocr.0.weight", "aux_head.0.weight"):  # these read all branches, one after another
                olds, targets = value.split(self.channels, 1), new.split(padded.channels, 1)
            for old, target in zip(olds, targets, strict=True):
                target[tuple(slice(n) for n in old.shape)].copy_(old)
        return padded
