"""GrabCut: 50 photographs, one object each, with an unknown band along the border (Rother et al. 2004).

`data_GT/NAME.*` and `boundary_GT/NAME.*`, paired by stem (suffixes are mixed). Mask values: 0 background, 128 the
unknown band, ignored, 255 object; the first channel if there are three. Sample id = stem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import PairedFiles, Target, pair_by_stem


def load(card: DatasetCard, root: Path | None = None) -> PairedFiles:
    """The dataset under `root`. Raises `DatasetError`."""
    place = roots.find(card, root, "data_GT", "boundary_GT")
    return PairedFiles(card.id, place, pair_by_stem(place / "data_GT", place / "boundary_GT"), decode)


def decode(pixels: Any) -> Target:
    """> 128 is object, 128 is ignored: RITM's reading."""
    values = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    return Target(values > 128, values == 128)
