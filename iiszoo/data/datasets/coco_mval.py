"""COCO_MVal: 800 objects of COCO's validation images, one per image (Sofiiuk et al. 2020, f-BRS).

`img/NAME.jpg` and `gt/NAME.png`, paired by stem. Object is where the first channel, blue as OpenCV reads it, is above
128 (ClickSEG d61a76b, isegm/data/datasets/cocomval.py). RITM reads these masks like DAVIS's, as object where not zero:
the same if masks have only 0 and 255. No pixel is ignored. Sample id = stem.
"""

from __future__ import annotations

from pathlib import Path

from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import pair_by_stem
from iiszoo.data.bright_masks import BrightMasks


def load(card: DatasetCard, root: Path | None = None) -> BrightMasks:
    """The dataset under `root`. Raises `DatasetError`."""
    place = roots.find(card, root, "img", "gt")
    return BrightMasks(card.id, place, pair_by_stem(place / "img", place / "gt"))
