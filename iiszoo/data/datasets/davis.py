"""DAVIS as interactive segmentation uses it: 345 frames of DAVIS 2016's videos, all objects of a frame as one target.

`img/NAME.*` and `gt/NAME.*`, paired by stem. Every pixel that is not zero in the mask is object: in any colour channel
if there are several (RITM b9b4460, isegm/data/datasets/davis.py), by index if the file has a palette. No pixel is
ignored. Sample id = stem.

Papers also use other selections of DAVIS: one model scored NoC@90 5.54 on these frames and 6.19 on FocusCut's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import PairedFiles, Target, pair_by_stem


def load(card: DatasetCard, root: Path | None = None) -> PairedFiles:
    """The dataset under `root`. Raises `DatasetError`."""
    place = roots.find(card, root, "img", "gt")
    return PairedFiles(card.id, place, pair_by_stem(place / "img", place / "gt"), decode)


def decode(pixels: Any) -> Target:
    """Object is where any colour channel is not zero; alpha is ignored."""
    return Target(pixels > 0 if pixels.ndim == 2 else (pixels[:, :, :3] > 0).any(axis=2), None)
