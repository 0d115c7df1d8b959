"""Berkeley: 100 objects on 96 photographs of BSDS (McGuinness and O'Connor 2010).

`images/NAME.jpg` and `masks/NAME.png`, paired by stem. A photograph with three objects is there three times (189011,
189011a, 189011b). Sample id = stem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo.cards import DatasetCard
from iiszoo.data import roots
from iiszoo.data.base import PairedFiles, Target, pair_by_stem


def load(card: DatasetCard, root: Path | None = None) -> PairedFiles:
    """The dataset under `root`. Raises `DatasetError`."""
    place = roots.find(card, root, "images", "masks")
    return PairedFiles(card.id, place, pair_by_stem(place / "images", place / "masks"), decode)


def decode(pixels: Any) -> Target:
    """Object is where the first channel (blue: a few pixels differ between channels) is >= 128: RITM's reading."""
    values = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    return Target(values >= 128, None)
