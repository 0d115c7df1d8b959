"""HQSeg-44K's validation part: 1,537 photographs with very fine masks, from four datasets (Ke et al. 2023, HQ-SAM).

| part  | dataset          | images | files                                                                        |
|-------|------------------|--------|------------------------------------------------------------------------------|
| dis   | DIS5K-VD         | 470    | DIS5K/DIS-VD/im, gt                                                          |
| thin  | ThinObject5K     | 500    | thin_object_detection/ThinObject5K/images_test, masks_test                   |
| coift | COIFT            | 280    | thin_object_detection/COIFT/images, masks                                    |
| hrsod | HRSOD            | 287    | thin_object_detection/HRSOD/images, masks_max255                             |

Images and masks pair by stem. Object is where any colour channel of the mask is above 0 (uncbiag/SegNext 4c45ce8,
isegm/data/datasets/hqseg44k.py, whose order of the parts this is); alpha is ignored, and so is no pixel. `hqseg44k` has
all parts, `hqseg44k-dis` and so on one each. Sample id = `PART/STEM`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import Pair, PairedFiles, Target, pair_by_stem
from iiszoo.data.bright_masks import colours

_THIN = "thin_object_detection"
PARTS = {
    "dis": ("DIS5K/DIS-VD/im", "DIS5K/DIS-VD/gt"),
    "thin": (f"{_THIN}/ThinObject5K/images_test", f"{_THIN}/ThinObject5K/masks_test"),
    "coift": (f"{_THIN}/COIFT/images", f"{_THIN}/COIFT/masks"),
    "hrsod": (f"{_THIN}/HRSOD/images", f"{_THIN}/HRSOD/masks_max255"),
}
"""The directories of images and masks, by part."""


def load(card: DatasetCard, root: Path | None = None) -> HQSeg44K:
    """The dataset under `root`; what follows the hyphen in the card's id is its part. Raises `DatasetError`."""
    part = card.id.partition("-")[2]
    parts = [part] if part else [*PARTS]
    place = roots.find(card, root, *(directory for name in parts for directory in PARTS[name]))
    return HQSeg44K(card.id, place, [pair for name in parts for pair in _pairs(place, name)])


def _pairs(place: Path, part: str) -> list[Pair]:
    images, masks = PARTS[part]
    return [replace(pair, id=f"{part}/{pair.id}") for pair in pair_by_stem(place / images, place / masks)]


class HQSeg44K(PairedFiles):
    """Object is where any colour channel is above 0; a palette file counts by its colours."""

    def target_in(self, path: Path) -> Target:
        return Target((colours(path) > 0).any(axis=2), None)
