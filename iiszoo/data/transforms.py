"""Transforms for training, for `RegionDataset`; they compose with `torchvision.transforms.v2`.

Each gets and returns a dict of tv_tensors of one size: `"image"`, an Image uint8 or float `(3, H, W)`; `"mask"`, a Mask
`(1, H, W)` in {0, 1}; `"valid"`, a Mask `(1, H, W)`, 0 where a pixel is ignored. All three are transformed together;
mask and valid by the nearest pixel. What comes in from outside the image (padding, the corners of a rotated image) is
black, background, and ignored. Randomness comes from torch's default generator, which `RegionDataset` seeds for each
item.

Not albumentations, which is common in this field: it requires opencv-python-headless, which clashes with this project's
opencv-python, since both are the module cv2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode, functional


class UniformResize(nn.Module):
    """Resize both sides by one factor, uniform over `scale`; to at least 1 pixel.

    The image is resized bilinearly, with antialiasing. Source: `UniformRandomResize` of RITM (arXiv 2102.06583) at
    b9b4460, with the scale range of its COCO+LVIS models.
    """

    def __init__(self, scale: tuple[float, float] = (0.75, 1.40)) -> None:
        super().__init__()
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale must be a range of factors above 0, smallest first, not {scale}")
        self.scale = scale

    def forward(self, item: dict[str, Tensor]) -> dict[str, Tensor]:
        factor = float(torch.empty(()).uniform_(*self.scale))
        size = [max(1, round(side * factor)) for side in item["image"].shape[-2:]]
        return {key: _resized(value, size) for key, value in item.items()}


class CropWithObject(nn.Module):
    """A random crop of `size` (rows, columns; an int is a square) that keeps some of the object.

    Crops are drawn uniformly over all positions until one has `min_area` pixels of the object (all of them if it has
    fewer), at most `tries` times; then the crop is centred on one of the object's pixels, each equally likely, as far
    as the image's borders allow. Without an object any position will do. An image smaller than `size` is padded, split
    at random between the two sides: padded pixels are black, background, and ignored. Source: RITM (b9b4460,
    `ISDataset.augment_sample`), which crops until an object is left; its padding is background that counts.
    """

    def __init__(self, size: int | tuple[int, int], *, min_area: int = 1, tries: int = 10) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else size
        if min(self.size) < 1:
            raise ValueError(f"size must be at least one pixel, not {size}")
        self.min_area = min_area
        self.tries = tries

    def forward(self, item: dict[str, Tensor]) -> dict[str, Tensor]:
        mask = item["mask"].as_subclass(Tensor)[0] != 0
        top, left = self._corner(mask)
        height, width = self.size
        # Outside the image v2's crop pads image, mask and valid with 0.
        return {key: functional.crop(value, top, left, height, width) for key, value in item.items()}

    def _corner(self, mask: Tensor) -> tuple[int, int]:
        """Row and column of the crop's first pixel; negative if the image is smaller than the crop."""
        wanted = min(self.min_area, int(mask.sum()))
        if wanted == 0:
            return self._anywhere(mask)
        for _ in range(self.tries):
            top, left = self._anywhere(mask)
            inside = mask[max(top, 0) : top + self.size[0], max(left, 0) : left + self.size[1]]
            if int(inside.sum()) >= wanted:
                return top, left
        pixels = mask.nonzero()
        centre = pixels[int(torch.randint(len(pixels), ()))].tolist()
        top, left = (
            min(max(at - crop // 2, 0), side - crop) if side > crop else _start(side, crop)
            for at, side, crop in zip(centre, mask.shape, self.size, strict=True)
        )
        return top, left

    def _anywhere(self, mask: Tensor) -> tuple[int, int]:
        return _start(mask.shape[0], self.size[0]), _start(mask.shape[1], self.size[1])


def training_transform(
    size: int | tuple[int, int],
    *,
    scale: tuple[float, float] = (0.75, 1.40),
    degrees: float = 10.0,
    horizontal_flip: float = 0.5,
    vertical_flip: float = 0.0,
    colour: float = 0.75,
    min_area: int = 1,
) -> v2.Compose:
    """Resize, flips, rotation, a crop of `size` that keeps some of the object, and colour jitter, in this order.

    `scale`: the range of `UniformResize`. `degrees`: the rotation is uniform within -degrees..degrees; the frame grows,
    so that nothing is lost. `horizontal_flip`, `vertical_flip`, `colour`: the probabilities of the flips and of colour
    jitter, which also affects padding. `min_area`: see `CropWithObject`. Only an object of a few pixels may get lost,
    in the resize or the rotation.

    After the training of RITM's COCO+LVIS models (b9b4460, `models/iter_mask/hrnet18_cocolvis_itermask_3p.py`): scale,
    flip, crop, and the ranges of brightness and contrast are theirs. They do not rotate (`degrees=0`), and shift the
    channels by -10..10 of 255 instead of jittering saturation and hue.
    """
    steps: list[nn.Module] = [
        UniformResize(scale),
        v2.RandomHorizontalFlip(horizontal_flip),
        v2.RandomVerticalFlip(vertical_flip),
    ]
    if degrees:
        steps.append(v2.RandomRotation(degrees, InterpolationMode.BILINEAR, expand=True))
    jitter = v2.ColorJitter(brightness=0.25, contrast=(0.85, 1.4), saturation=0.1, hue=0.02)
    return v2.Compose([*steps, CropWithObject(size, min_area=min_area), v2.RandomApply([jitter], colour)])


def _resized(value: Tensor, size: list[int]) -> Tensor:
    if isinstance(value, tv_tensors.Mask):
        # For a Mask torchvision uses plain "nearest", which is up to half a pixel off the image's bilinear grid.
        nearest = functional.resize(value.as_subclass(Tensor), size, InterpolationMode.NEAREST_EXACT)
        mask: Tensor = tv_tensors.Mask(nearest)
        return mask
    resized: Tensor = functional.resize(value, size, InterpolationMode.BILINEAR, antialias=True)
    return resized


def _start(side: int, crop: int) -> int:
    """Where a crop begins: uniform over all positions inside the side, or around it if the side is shorter."""
    spare = side - crop
    start = int(torch.randint(abs(spare) + 1, ()))
    return start if spare >= 0 else -start
