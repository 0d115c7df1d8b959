"""DAVIS585: 585 objects on frames of DAVIS, each with two flawed masks to start from (Chen et al. 2022, FocalClick).

`SEQUENCE/OBJECT_FRAME.png` are the masks, `SEQUENCE/FRAME.jpg` the images, and `SEQUENCE/init_sp_OBJECT_FRAME.png` and
`SEQUENCE/init_stm_OBJECT_FRAME.png` the masks that a session starts from: from superpixels, and from a video model
(STM), with an IoU of 75 to 85 %. Object is where the first channel is above 128, in all three (ClickSEG d61a76b,
isegm/data/datasets/davis585.py). No pixel is ignored. Sample id = `SEQUENCE/OBJECT_FRAME`.

`davis585` starts from nothing, `davis585-sp` and `davis585-stm` from such a mask; ClickSEG calls them D585_ZERO,
D585_SP and D585_STM. Upstream takes samples in file-system order; here they are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, roots
from iiszoo.data.base import Pair, Sample, image_files
from iiszoo.data.bright_masks import BrightMasks, colours, decode
from iiszoo.errors import DatasetError
from iiszoo.file_names import sample_name

if TYPE_CHECKING:
    from iiszoo.data.base import Mask


def load(card: DatasetCard, root: Path | None = None) -> Davis585:
    """The dataset under `root`; what follows the hyphen in the card's id says which masks to start from. Raises
    `DatasetError`.
    """
    place = roots.find(card, root)
    pairs = pairs_in(place)
    if not pairs:
        raise DatasetError(
            f"dataset {card.id}: {place} contains no mask SEQUENCE/OBJECT_FRAME.png beside an "
            f"init_sp_OBJECT_FRAME.png; expected {card.layout}"
        )
    return Davis585(card.id, place, pairs, initial=card.id.partition("-")[2])


def pairs_in(place: Path) -> list[Pair]:
    """Every mask with the image that its name gives, sorted by id; only from directories with initial masks."""
    pairs = []
    for sequence in sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")):
        masks = [path for path in image_files(sequence) if path.suffix.lower() == ".png"]
        if not any(path.name.startswith("init_") for path in masks):
            continue
        for mask in masks:
            if "init" not in mask.name:
                image = sequence / f"{mask.stem.rpartition('_')[2]}.jpg"
                pairs.append(Pair(sample_name(f"{sequence.name}/{mask.stem}"), image, mask))
    return pairs


class Davis585(BrightMasks):
    """`initial`: `"sp"`, `"stm"`, or `""` to start from nothing."""

    def __init__(self, name: str, place: Path, pairs: Sequence[Pair], initial: str) -> None:
        super().__init__(name, place, pairs)
        self.initial = initial

    def sample(self, i: int) -> Sample:
        path = self._initial_file(i)
        if path is None:
            return super().sample(i)
        files = tuple(str(path) for path in self._files(i))
        return replace(super().sample(i), files=files, read_initial_mask=partial(_object_in, path))

    def stamp(self) -> str:
        return file_checks.stamp(path for i in range(len(self)) for path in self._files(i))

    def check_files(self) -> Iterator[str]:
        """Unreadable headers, and masks whose size is not their image's."""
        for i in range(len(self)):
            sizes = {}
            for path in self._files(i):
                try:
                    sizes[path] = file_checks.picture_size(path)
                except DatasetError as error:
                    yield str(error)
            if len(set(sizes.values())) > 1:
                shown = ", ".join(f"{path} {rows}x{columns}" for path, (rows, columns) in sizes.items())
                yield f"image and masks of {self.pairs[i].id} differ in size (rows x columns): {shown}"

    def _files(self, i: int) -> list[Path]:
        pair, initial = self.pairs[i], self._initial_file(i)
        return [pair.image, pair.mask] + ([] if initial is None else [initial])

    def _initial_file(self, i: int) -> Path | None:
        mask = self.pairs[i].mask
        return mask.with_name(f"init_{self.initial}_{mask.name}") if self.initial else None


def _object_in(path: Path) -> Mask:
    return decode(colours(path)).object
