"""Datasets with full masks: images and all their annotations, in layers of integer values.

A *region selector* (`iiszoo.data.region_selector`) takes a binary target region from a full mask; a `RegionDataset` is
a `SegDataset` and a selector, for training; `AllRegions` makes every region of a `SegDataset` one sample, for
evaluation.

    class Mine(SegDataset):
        def __len__(self):
            return 2

        def get_sample(self, i):
            return image, masks, {}  # uint8 (H, W, 3) RGB; integers (H, W, L); info
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iiszoo import units
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    FullMasks = NDArray[np.integer[Any]]


class Region(NamedTuple):
    """One object of a full mask: the pixels of layer `layer` with value `value`."""

    layer: int
    value: int


class Sample(NamedTuple):
    """`image` uint8 `(H, W, 3)`, RGB. `masks` integers `(H, W, L)`: in each layer 0 is background, each value above 0
    is one object, and pixels below 0 are ignored: they count neither way. `info`: anything else; these keys have a
    meaning here:

    - `"classes"`: `{(layer, value): class}`, for `random_class`; a class is a number or a name.
    - `"stuff"`: the `(layer, value)` pairs that are stuff (sky, grass), not things, for `random_stuff_background`.
    """

    image: Image
    masks: FullMasks
    info: dict[str, Any]


class SegDataset(ABC):
    """Images with full masks. A subclass defines `__len__` and `get_sample`, and may override the rest to be faster.

    `dataset[i]` is the checked sample. Indices start at 0; a negative one is an `IndexError`.
    """

    place: Path = Path()
    """The directory that it is read from."""

    @property
    def name(self) -> str:
        """For messages."""
        return type(self).__name__

    @abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abstractmethod
    def get_sample(self, i: int) -> tuple[Image, FullMasks, dict[str, Any]]:
        """Image i, its full masks and its info: the fields of `Sample`."""

    def __getitem__(self, i: int) -> Sample:
        """Sample i, checked. Raises `IndexError`, and `DatasetError` if `get_sample` returns anything else."""
        if not 0 <= i < len(self):
            raise IndexError(f"{self.name} has {units.number_of(len(self), 'sample')}; there is no sample {i}")
        found = self.get_sample(i)
        if not isinstance(found, tuple) or len(found) != 3:
            raise DatasetError(f"{self.name}: get_sample({i}) must return (image, masks, info), not {_form(found)}")
        sample = Sample(*found)
        _check_image(self, i, sample.image)
        _check_masks(self, i, sample.masks)
        if sample.image.shape[:2] != sample.masks.shape[:2]:
            raise DatasetError(
                f"{self.name}: the image of sample {i} is {_form(sample.image)}, its masks {_form(sample.masks)}: "
                "they must have the same height and width"
            )
        _check_info(self, i, sample.info)
        return sample

    def image_id(self, i: int) -> str:
        """A stable name of image i, unique within the dataset."""
        return str(i)

    def read_image(self, i: int) -> Image:
        """Image i alone: uint8 `(H, W, 3)`, RGB."""
        return self[i].image

    def read_masks(self, i: int) -> FullMasks:
        """The full masks of image i alone: integers `(H, W, L)`."""
        return self[i].masks

    def files_of(self, i: int) -> tuple[str, ...]:
        """The files that sample i is read from, for messages."""
        return (self.image_id(i),)

    def regions(self, i: int) -> list[Region]:
        """Every object of image i, layer by layer, by rising value."""
        masks = self.read_masks(i)
        _check_masks(self, i, masks)
        return regions_in(masks)

    def check_files(self) -> Iterator[str]:
        """One sentence for each faulty file, found without decoding pixels."""
        return iter(())

    def stamp(self) -> str:
        """A hash that changes when the files look different (names, sizes, times); "" if that is not known."""
        return ""


def regions_in(masks: FullMasks, *, min_area: int = 1) -> list[Region]:
    """Every object of full masks `(H, W, L)` with at least `min_area` pixels, layer by layer, by rising value."""
    return [region for region, area in areas_in(masks).items() if area >= min_area]


def areas_in(masks: FullMasks) -> dict[Region, int]:
    """The number of pixels of every object of full masks `(H, W, L)`, layer by layer, by rising value."""
    import numpy as np

    areas: dict[Region, int] = {}
    for layer in range(masks.shape[2]):
        values, counts = np.unique(masks[:, :, layer], return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value > 0:
                areas[Region(layer, value)] = count
    return areas


def _check_image(dataset: SegDataset, i: int, image: Any) -> None:
    right = str(getattr(image, "dtype", "")) == "uint8" and image.ndim == 3 and image.shape[2] == 3 and image.size
    if not right:
        raise DatasetError(f"{dataset.name}: the image of sample {i} must be uint8 (H, W, 3), RGB, not {_form(image)}")


def _check_masks(dataset: SegDataset, i: int, masks: Any) -> None:
    kind = getattr(getattr(masks, "dtype", None), "kind", None)
    if kind not in ("i", "u") or masks.ndim != 3 or not masks.size:
        hint = ""
        if getattr(masks, "ndim", None) == 2:
            hint = "; a single layer is masks[:, :, None]"
        elif kind == "b":
            hint = "; binary masks are masks.astype(np.uint8)"
        raise DatasetError(
            f"{dataset.name}: the masks of sample {i} must be integers (H, W, L), L >= 1, not {_form(masks)}{hint}"
        )


def _check_info(dataset: SegDataset, i: int, info: Any) -> None:
    if not isinstance(info, dict):
        raise DatasetError(f"{dataset.name}: the info of sample {i} must be a dict, not {_form(info)}")
    classes, stuff = info.get("classes", {}), info.get("stuff", ())
    if not isinstance(classes, dict) or not all(map(_is_pair, classes)):
        raise DatasetError(
            f'{dataset.name}: info["classes"] of sample {i} must be {{(layer, value): class}}, not {classes!r:.80}'
        )
    if not isinstance(stuff, set | frozenset | list | tuple) or not all(map(_is_pair, stuff)):
        raise DatasetError(
            f'{dataset.name}: info["stuff"] of sample {i} must be a set of (layer, value) pairs, not {stuff!r:.80}'
        )


def _is_pair(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 2


def _form(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {tuple(value.shape)}"
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
