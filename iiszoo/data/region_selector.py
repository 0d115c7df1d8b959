"""Region selectors: rules that take a binary target region from a full mask.

    selector(masks, info, rng, *, min_area=1, ...) -> bool (H, W), or None if there is no such region

`masks` integers `(H, W, L)`, `info` a dict: the fields of `iiszoo.data.seg_dataset.Sample`. `rng` a
`numpy.random.Generator`, the only source of randomness. `min_area`: regions of fewer pixels do not exist for the
selector. An *object* is a pair (layer, value) with value > 0 that occurs in the masks. The *background* is what is 0 in
every layer: a pixel ignored in one of them may not be background. A returned region is a new array with at least one
pixel. The arguments are not modified.

Configure a rule with `functools.partial(random_merge, n=3, min_area=100)`; a new rule is a function of this form.
`all_regions(masks, min_area=1)` lists every object instead; it is `seg_dataset.regions_in`, and
`iiszoo.data.all_regions.AllRegions` is the dataset for evaluation made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from iiszoo.data.seg_dataset import Region, areas_in
from iiszoo.data.seg_dataset import regions_in as all_regions
from iiszoo.errors import DatasetError

__all__ = [
    "RegionSelector",
    "all_regions",
    "first",
    "largest",
    "random_class",
    "random_connected",
    "random_merge",
    "random_single",
    "random_stuff_background",
]

Mask = NDArray[np.bool_]
FullMasks = NDArray[np.integer[Any]]
RegionSelector = Callable[[FullMasks, dict[str, Any], np.random.Generator], Mask | None]

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def first(masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1) -> Mask | None:
    """The pixels that are 1 in layer 0: the object of a binary dataset. Not random."""
    return _if_large(masks[:, :, 0] == 1, min_area)


def largest(masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1) -> Mask | None:
    """The object with the most pixels; of equals, the one of the lowest layer and value. Not random."""
    areas = areas_in(masks)
    if not areas:
        return None
    region = max(areas, key=lambda found: areas[found])  # max keeps the first of equals
    return _pixels(masks, region) if areas[region] >= min_area else None


def random_single(
    masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1, background: bool = False
) -> Mask | None:
    """One object, each equally likely, whatever its size, layer and class.

    With `background`, the background is another region, as likely as each object.
    """
    behind = _if_large(_background(masks), min_area) if background else None
    return _one_of(masks, all_regions(masks, min_area=min_area), behind, rng)


def random_class(masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1) -> Mask | None:
    """All objects of one class, by `info["classes"]`. Each class in the image is equally likely, however many objects
    and pixels it has.

    `min_area` counts the pixels of the class, not of each object. Objects without a class are left out. Raises
    `DatasetError` if `info` has no `"classes"`.
    """
    if "classes" not in info:
        raise DatasetError(
            'the region selector random_class needs info["classes"], {(layer, value): class}, which is missing; '
            "return it from get_sample, or use another region selector"
        )
    by_class: dict[Any, list[Region]] = {}
    for region in all_regions(masks):
        if region in info["classes"]:
            by_class.setdefault(info["classes"][region], []).append(region)
    classes = list(by_class.values())
    for k in rng.permutation(len(classes)):  # the first that is large enough is uniform over those that are
        found = _if_large(_union(masks, classes[k]), min_area)
        if found is not None:
            return found
    return None


def random_connected(
    masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1
) -> Mask | None:
    """One 8-connected component of one object: an object is drawn, then one of its components.

    Each object with a component of `min_area` pixels is equally likely, and so is each such component of it.
    """
    objects = all_regions(masks, min_area=min_area)
    for k in rng.permutation(len(objects)):  # the first that has such a component is uniform over those that do
        labels, _ = ndimage.label(_pixels(masks, objects[k]), _EIGHT_NEIGHBOURS)
        large = np.flatnonzero(np.bincount(labels.ravel())[1:] >= min_area) + 1
        if large.size:
            component: Mask = labels == rng.choice(large)
            return component
    return None


def random_merge(
    masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, n: int = 2, min_area: int = 1
) -> Mask | None:
    """The union of `n` different objects of at least `min_area` pixels each. Each set of n is equally likely, in any
    layers; None if there are fewer.
    """
    objects = all_regions(masks, min_area=min_area)
    if len(objects) < n:
        return None
    return _union(masks, [objects[k] for k in rng.choice(len(objects), n, replace=False)])


def random_stuff_background(
    masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1
) -> Mask | None:
    """A region that is not a thing: one of the objects that `info["stuff"]` marks as stuff, or the background as one
    region; all are equally likely. If `info` has no `"stuff"`, only the background.
    """
    marked = set(info.get("stuff", ()))
    stuff = [region for region in all_regions(masks, min_area=min_area) if region in marked]
    return _one_of(masks, stuff, _if_large(_background(masks), min_area), rng)


def _one_of(masks: FullMasks, objects: list[Region], background: Mask | None, rng: np.random.Generator) -> Mask | None:
    """One of `objects`, or `background` if that is not None; each equally likely."""
    choices = len(objects) + (background is not None)
    k = int(rng.integers(choices)) if choices else 0
    return _pixels(masks, objects[k]) if k < len(objects) else background


def _pixels(masks: FullMasks, region: Region) -> Mask:
    pixels: Mask = masks[:, :, region.layer] == region.value
    return pixels


def _union(masks: FullMasks, regions: list[Region]) -> Mask:
    union: Mask = np.any([_pixels(masks, region) for region in regions], axis=0)
    return union


def _background(masks: FullMasks) -> Mask:
    background: Mask = (masks == 0).all(axis=2)
    return background


def _if_large(mask: Mask, min_area: int) -> Mask | None:
    return mask if np.count_nonzero(mask) >= max(min_area, 1) else None
