"""Region selectors for label maps (see `iiszoo.data.region_selector`), and all selectors by name."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.data import region_selector
from iiszoo.data.region_selector import FullMasks, Mask, RegionSelector
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


SELECTORS: dict[str, RegionSelector] = {
    "first": region_selector.first,
    "largest": region_selector.largest,
    "random-single": region_selector.random_single,
    "random-class": region_selector.random_class,
    "random-connected": region_selector.random_connected,
    "random-merge": region_selector.random_merge,
    "random-stuff-background": region_selector.random_stuff_background,
    "random-joined": random_joined,
    "all-objects": all_objects,
}


def _counts(values: NDArray[Any]) -> NDArray[np.int64]:
    """The counts of 0, 1, 2, ...; values below 0 are skipped."""
    flat = values.ravel()
    if flat.dtype.kind == "i":
        flat = flat[flat >= 0]
    return np.bincount(flat, minlength=1)
