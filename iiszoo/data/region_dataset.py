"""Datasets for training: a `SegDataset` and a region selector as a `torch.utils.data.Dataset` in the standard format.

dataset = RegionDataset(SBD(...), random_single, training_transform(448))
for batch in DataLoader(dataset, batch_size=8, num_workers=4):
    x, target = batch["image"], batch["mask"]
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from iiszoo.data.region_selector import RegionSelector
from iiszoo.data.seg_dataset import Sample, SegDataset
from iiszoo.errors import DatasetError

Transform = Callable[[dict[str, Tensor]], dict[str, Tensor]]
"""See `RegionDataset`. Any transform of `torchvision.transforms.v2` will do."""


class RegionDataset(Dataset[dict[str, Any]]):
    """One target region per image of `dataset`, drawn by `selector` (`iiszoo.data.region_selector`) on each access.

    An item is a dict: `"image"` float32 `(3, H, W)`, RGB in [0, 1]; `"mask"` float32 `(1, H, W)` in {0, 1}; and, with
    `with_ignore`, `"ignore"` bool `(1, H, W)`, the pixels that count neither way. A collated batch has `x` and the
    target of the standard format. Images of different sizes cannot be collated: crop them in `transform`. Ignored are
    pixels below 0 in any layer of the full masks (a selector does not report its layers) and outside the region;
    without `with_ignore` they are background.

    `transform` gets and returns a dict of `torchvision.tv_tensors`: `"image"`, an Image uint8 `(3, H, W)`; `"mask"`, a
    Mask uint8 `(1, H, W)` in {0, 1}; `"valid"`, a Mask likewise, 0 where a pixel is ignored. torchvision's transforms
    fill with 0, so what comes in from outside is ignored background. `iiszoo.data.transforms` has some.

    If the selector finds no region in image i, or the transform loses it, another image is drawn instead, all equally
    likely, up to `tries` images; then `DatasetError` names the dataset and the selector.

    Sample n shows image n % len(dataset), and everything in it is a function of (`seed`, n), whatever the number of
    workers and the order. The first epoch is samples 0 to len - 1, the next continues from there: give the DataLoader
    `sampler=Numbers(start, stop, block=len(dataset))` (`iiszoo.data.training.loader`); without it every epoch is the
    first. During the transform torch's default generator is seeded from the sample, and restored afterwards.
    """

    def __init__(
        self,
        dataset: SegDataset,
        selector: RegionSelector,
        transform: Transform | None = None,
        *,
        seed: int = 0,
        with_ignore: bool = False,
        tries: int = 100,
    ) -> None:
        if not isinstance(dataset, SegDataset):
            raise TypeError(f"dataset must be a SegDataset, which has full masks, not {type(dataset).__name__}")
        self.dataset = dataset
        self.selector = selector
        self.transform = transform
        self.seed = seed
        self.with_ignore = with_ignore
        self.tries = tries

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, n: int) -> dict[str, Any]:
        return self._draw(n)[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The first epoch."""
        return map(self.__getitem__, range(len(self)))

    def _draw(self, n: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """An item, and the info of its image."""
        if n < 0:
            raise IndexError(f"samples are numbered from 0; there is no sample {n}")
        rng, i = np.random.default_rng([self.seed, n]), n % len(self.dataset)
        for _ in range(self.tries):
            sample = self.dataset[i]
            region = self._select(i, sample, rng)
            item = None if region is None else self._item(sample, region, rng)
            if item is not None:
                return item, {**sample.info, "image_id": self.dataset.image_id(i)}
            i = int(rng.integers(len(self.dataset)))
        raise DatasetError(
            f"{self.dataset.name}: the region selector {selector_name(self.selector)} found no region in {self.tries} "
            "random images, or the transform lost it; give a smaller min_area, another selector, or more tries"
        )

    def _select(self, i: int, sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_] | None:
        try:
            region = self.selector(sample.masks, sample.info, rng)
        except DatasetError as error:
            raise DatasetError(f"{self.dataset.name}, image {self.dataset.image_id(i)}: {error}") from error
        if region is not None and (
            getattr(region, "dtype", None) != np.bool_ or region.shape != sample.masks.shape[:2]
        ):
            form = f"{region.dtype} {region.shape}" if isinstance(region, np.ndarray) else type(region).__name__
            raise DatasetError(
                f"the region selector {selector_name(self.selector)} must return None or a bool array "
                f"{sample.masks.shape[:2]}, not {form}"
            )
        return region

    def _item(self, sample: Sample, region: NDArray[np.bool_], rng: np.random.Generator) -> dict[str, Tensor] | None:
        """What `__getitem__` returns; None if the transform lost the region."""
        valid = region | (sample.masks >= 0).all(axis=2)
        # Copied: a transform may write into its input, and the dataset may keep what it returned.
        image = torch.from_numpy(np.array(sample.image.transpose(2, 0, 1), order="C"))
        mask, counted = (torch.from_numpy(pixels[None].astype(np.uint8)) for pixels in (region, valid))
        if self.transform is not None:
            image, mask, counted = transformed(self.transform, image, mask, counted, rng)
            if region.any() and not mask.any():
                return None
        item = {
            "image": image.to(torch.float32) / 255 if image.dtype == torch.uint8 else image.to(torch.float32),
            "mask": mask.to(torch.float32),
        }
        return {**item, "ignore": counted == 0} if self.with_ignore else item


class RegionDatasetWithInfo(RegionDataset):
    """A `RegionDataset` whose items also have `"info"`: the sample's info, and as `"image_id"` the name of the image
    that the item comes from, which is another one if the sample's own image had no region.

    The contents of `info` differ between images; a DataLoader needs `collate_fn=collate_with_info`.
    """

    def __getitem__(self, n: int) -> dict[str, Any]:
        item, info = self._draw(n)
        return {**item, "info": info}


def collate_with_info(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of items of `RegionDatasetWithInfo`: tensors are stacked, `"info"` is a list with one dict per item."""
    tensors = [{key: value for key, value in item.items() if key != "info"} for item in items]
    return {**default_collate(tensors), "info": [item["info"] for item in items]}


def selector_name(selector: RegionSelector) -> str:
    """The selector as written in code: `random_merge(n=3)`."""
    if isinstance(selector, functools.partial):
        given = ", ".join(f"{key}={value!r}" for key, value in selector.keywords.items())
        return f"{selector_name(selector.func)}({given})"
    return str(getattr(selector, "__name__", type(selector).__name__))


def transformed(
    transform: Transform, image: Tensor, mask: Tensor, valid: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, mask and valid, as `transform` returns them, checked; its randomness comes from `rng`."""
    from torchvision import tv_tensors  # takes as long to import as torch, and only transforms need it

    item: dict[str, Tensor] = {
        "image": tv_tensors.Image(image),
        "mask": tv_tensors.Mask(mask),
        "valid": tv_tensors.Mask(valid),
    }
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also seed the GPUs, and those are not restored.
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        item = transform(item)
    _check(item)
    image, mask, valid = (item[key].as_subclass(Tensor).contiguous() for key in ("image", "mask", "valid"))
    return image, mask, valid


def _check(item: dict[str, Tensor]) -> None:
    """Raise `DatasetError` if a transform returned something that is not an item."""
    if not isinstance(item, dict) or not {"image", "mask", "valid"} <= item.keys():
        raise DatasetError("a transform for training must return the dict that it gets: image, mask and valid")
    image, mask, valid = item["image"], item["mask"], item["valid"]
    if not all(isinstance(value, Tensor) for value in (image, mask, valid)):
        raise DatasetError("a transform for training must return tensors: image, mask and valid")
    if image.ndim != 3 or any(other.shape != (1, *image.shape[1:]) for other in (mask, valid)):
        shapes = ", ".join(f"{key} {tuple(item[key].shape)}" for key in ("image", "mask", "valid"))
        raise DatasetError(
            f"a transform for training must keep image, mask and valid the same size, not {shapes}; "
            "torchvision leaves anything that is not a tv_tensor unchanged"
        )
    if image.dtype != torch.uint8 and not (image.min() >= 0 and image.max() <= 1):
        raise DatasetError(
            "a transform for training must keep the image in [0, 1], or uint8; a model normalises inside"
        )
    if mask.max() > 1 or valid.max() > 1:
        raise DatasetError(
            "a transform for training filled the mask with values other than 0 and 1; "
            "fill only the image: fill={tv_tensors.Image: 127, 'others': 0}"
        )
