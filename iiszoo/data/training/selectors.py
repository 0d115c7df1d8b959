"""Region selectors for label maps (see `iiszoo.data.region_selector`), and all selectors by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.data import region_selector
from iiszoo.data.region_selector import FullMasks, Mask
from iiszoo.data.seg_dataset import Region


def all_objects(masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, min_area: int = 1) -> Mask | None:
    """All objects as one, above 0 in any layer: for labelled clothes, the person. Nothing is random."""
    everything: Mask = np.any(masks > 0, axis=2)
    return everything if np.count_nonzero(everything) >= min_area else None


def random_joined(
    masks: FullMasks,
    info: dict[str, Any],
    rng: np.random.Generator,
    *,
    join: float = 0.2,
    touching: bool = False,
    min_share: float = 0.0,
    max_share: float = 1.0,
    min_area: int = 1,
) -> Mask | None:
    """One object, joined with another with probability `join`: with `touching`, one in the same layer that touches it;
    else any.

    The first is uniform over objects that cover `min_share` to `max_share` of the image; the other is uniform over the
    neighbours (`touching`) or over all other objects of the image.
    """
    counts = [_counts(masks[:, :, layer]) for layer in range(masks.shape[2])]
    least, most = max(min_area, min_share * masks[:, :, 0].size), max_share * masks[:, :, 0].size
    objects = [Region(layer, int(v)) for layer, n in enumerate(counts) for v in np.flatnonzero(n) if v > 0]
    possible = [region for region in objects if least <= counts[region.layer][region.value] <= most]
    if not possible:
        return None
    chosen = possible[int(rng.integers(len(possible)))]
    layer = masks[:, :, chosen.layer]
    mask: Mask = layer == chosen.value
    if rng.random() < join:
        if touching:
            ring = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_) & ~mask
            around = _counts(layer[ring])
            others = [Region(chosen.layer, int(value)) for value in np.flatnonzero(around) if value > 0]
        else:
            others = [region for region in objects if region != chosen]
        if others:
            other = others[int(rng.integers(len(others)))]
            mask = mask | (masks[:, :, other.layer] == other.value)
    return mask


class Chosen(NamedTuple):
    """A target of several objects, and what else there is. `parts`: bool (H, W) each, together the target; empty for a
    scene without any object that is large enough. `others` bool (H, W): pixels of objects outside the target; None if
    all objects that are large enough are part of it.
    """

    parts: list[Mask]
    others: Mask | None

    @property
    def target(self) -> Mask | None:
        """The parts as one mask; None without any."""
        return np.any(self.parts, axis=0) if self.parts else None


def random_roots(
    masks: FullMasks, info: dict[str, Any], rng: np.random.Generator, *, merge: float = 0.15, min_area: int = 1
) -> Chosen:
    """One root object, uniform over them; or two different ones with probability `merge`, if there are as many.

    A root is an object of `min_area` pixels or more that is part of no other such object (`info["parents"]`).

    Source: `MultiPointSampler.sample_object` (`isegm/data/points_sampler.py`) of
    SamsungLabs/ritm_interactive_segmentation at b9b4460, with two as the most objects, and no use of the hierarchy.
    """
    objects = region_selector.all_regions(masks, min_area=min_area)
    known, parents = set(objects), info.get("parents", {})
    roots = [region for region in objects if not known.intersection(_ancestors(region, parents))]
    n = 2 if len(roots) > 1 and rng.random() < merge else min(len(roots), 1)
    parts = [masks[:, :, layer] == value for layer, value in (roots[k] for k in rng.choice(len(roots), n, False))]
    if len(objects) <= len(parts):
        return Chosen(parts, None if parts else np.any(masks > 0, axis=2))
    others: Mask = np.any(masks > 0, axis=2) & ~np.any(parts, axis=0)
    return Chosen(parts, others)


def _ancestors(region: Region, parents: Mapping[Region, Region]) -> Iterator[Region]:
    seen = {region}
    while region in parents and parents[region] not in seen:
        region = parents[region]
        seen.add(region)
        yield region


TrainingSelector = Callable[[FullMasks, dict[str, Any], np.random.Generator], Mask | Chosen | None]

SELECTORS: dict[str, Callable[..., Mask | Chosen | None]] = {
    "first": region_selector.first,
    "largest": region_selector.largest,
    "random-single": region_selector.random_single,
    "random-class": region_selector.random_class,
    "random-connected": region_selector.random_connected,
    "random-merge": region_selector.random_merge,
    "random-stuff-background": region_selector.random_stuff_background,
    "random-joined": random_joined,
    "random-roots": random_roots,
    "all-objects": all_objects,
}


def _counts(values: NDArray[Any]) -> NDArray[np.int64]:
    """The counts of 0, 1, 2, ...; values below 0 are skipped."""
    flat = values.ravel()
    if flat.dtype.kind == "i":
        flat = flat[flat >= 0]
    return np.bincount(flat, minlength=1)
