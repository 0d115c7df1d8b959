"""FocalClick's networks: a coarse one for the target crop, a refiner for the focus crop; with ClickSEG's names.

    logits, features = network.coarse(image, maps)
    refined = network.refine(crop, disks, features, logits, boxes)

Source: FocalClick (arXiv 2204.02574); `isegm/model/is_segformer_model.py`, `is_hrnet_model.py`, `is_model.py` and the
configurations in `models/focalclick/` of alibaba/ClickSEG at d61a76b.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.models.hrnet import HRNetOCR, Scale, click_branch
from iiszoo.models.imagenet import normalise
from iiszoo_focalclick.refiner import Refiner
from iiszoo_focalclick.segformer import SegFormer

REFINER_DISK_RADIUS = 5
"""Radius of the click disks of `FocalClick.refine`, in pixels of its crop."""


class FocalClick(nn.Module):
    """The coarse network and the refiner.

    `disk_radius`: of the click disks of `coarse`, in pixels of its image. `halve`: whether the coarse network works at
    half the size of that image (pipeline S1) or at full size (S2).
    """

    def __init__(self, disk_radius: int, halve: bool) -> None:
        super().__init__()
        self.disk_radius = disk_radius
        self.halve = halve
        self.refiner: Refiner

    def extract(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised image, maps -> logits (B, 1, h / 4, w / 4) and features of the same size."""
        raise NotImplementedError

    def coarse(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Segment the target crop.

        Args:
            image: RGB in [0, 1], (B, 3, h, w); 256 x 256 as published.
            maps: (B, 3, h, w): the previous output's probabilities, positive disks, negative disks of `disk_radius`.

        Returns:
            logits (B, 1, h, w) and the features for the refiner: a quarter of the image's size (an eighth in S1).
        """
        size = image.shape[2:]
        image = normalise(image)
        if self.halve:
            image, maps = (
                F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True) for x in (image, maps)
            )
        logits, features = self.extract(image, maps)
        return F.interpolate(logits, size, mode="bilinear", align_corners=True), features

    def refine(self, crop: Tensor, disks: Tensor, features: Tensor, logits: Tensor, boxes: Tensor) -> Tensor:
        """Segment the focus crop, a box inside the target crop, again.

        Args:
            crop: the box cut out of the image at full resolution, resized: RGB in [0, 1], not normalised, (B, 3, h, w)
                with h and w those of `coarse`'s image.
            disks: positive and negative clicks as disks of `REFINER_DISK_RADIUS` in the crop, (B, 2, h, w).
            features, logits: the output of `coarse`.
            boxes: (x1, y1, x2, y2) of each crop in pixels of `coarse`'s image, unrounded, ends exclusive, inside the
                image: (B, 4).

        Returns:
            logits (B, 1, h, w) of the crops.
        """
        refined: Tensor = self.refiner(crop, disks, features, logits, boxes)
        return refined


class SegFormerFocalClick(FocalClick):
    """With SegFormer, whose side embedding takes the maps directly. `channels`: of its head's features."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], channels: int, halve: bool) -> None:
        super().__init__(disk_radius=3 if halve else 5, halve=halve)
        # Upstream builds this and never calls it; it exists only so that checkpoints load strictly.
        self.maps_transform = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, 3, 2, 1), Scale(0.05)
        )
        self.feature_extractor = SegFormer(widths, depths, channels)
        self.refiner = Refiner(channels, unused_gate=True)

    def extract(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        image, maps = (x.contiguous(memory_format=torch.channels_last) for x in (image, maps))  # see segformer.py
        answer: tuple[Tensor, Tensor] = self.feature_extractor(image, maps)
        return answer


class HRNetFocalClick(FocalClick):
    """With RITM's HRNet and OCR head; the maps are added in the stem. See `HRNetOCR` for the arguments."""

    def __init__(self, width: int, ocr_width: int, small: bool, halve: bool) -> None:
        super().__init__(disk_radius=2 if halve else 5, halve=halve)
        self.maps_transform = click_branch(3)
        self.feature_extractor = HRNetOCR(width, ocr_width, small)
        self.refiner = Refiner(2 * ocr_width, unused_gate=False)

    def extract(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.feature_extractor(image, self.maps_transform(maps))
        return answer.logits, answer.features


_b0 = partial(SegFormerFocalClick, (32, 64, 160, 256), (2, 2, 2, 2), 256)
_b3 = partial(SegFormerFocalClick, (64, 128, 320, 512), (3, 4, 18, 3), 512)
_hrnet18s = partial(HRNetFocalClick, 18, 48, True)
_hrnet32 = partial(HRNetFocalClick, 32, 128, False)

NETWORKS: dict[str, Callable[[], FocalClick]] = {
    "focalclick/segformerb0-s1": partial(_b0, halve=True),
    "focalclick/segformerb0-s2": partial(_b0, halve=False),
    "focalclick/segformerb3-s2": partial(_b3, halve=False),
    "focalclick/segformerb3-s2-combined": partial(_b3, halve=False),
    "focalclick/hrnet18s-s1": partial(_hrnet18s, halve=True),
    "focalclick/hrnet18s-s2": partial(_hrnet18s, halve=False),
    "focalclick/hrnet32-s2": partial(_hrnet32, halve=False),
    "focalclick/hrnet32-s2-combined": partial(_hrnet32, halve=False),
}
"""By model id: builds the network, untrained. The combined models differ only in training. The S1 and S2 of one
backbone differ also in `halve` and `disk_radius`, but their state dicts have the same entries."""
