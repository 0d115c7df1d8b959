"""`demo`: objects on freely licensed photographs, inside the package, to try everything at once.

`images/NAME.*` and `masks/NAME__OBJECT.png`; sources and licences in `ATTRIBUTION.md` beside them. Sample id =
`NAME__OBJECT`.
"""

from __future__ import annotations

from pathlib import Path

import iiszoo.data
from iiszoo.cards import DatasetCard
from iiszoo.data.base import pair_by_stem
from iiszoo.data.datasets.folder import DrawnMasks

PLACE = Path(iiszoo.data.__file__).parent / "demo"


def load(card: DatasetCard, root: Path | None = None) -> DrawnMasks:
    """The embedded dataset; `root` is ignored."""
    return DrawnMasks(card.id, PLACE, pair_by_stem(PLACE / "images", PLACE / "masks", objects=True))
