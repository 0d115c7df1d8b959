"""`labels:DIR`: photographs with label maps next to them, `ID.webp` (or any other image) and `ID_K.png`.

A label map is a one-channel image of the photograph's size: 0 is background, each other value one object. Each map is a
layer, in the order of K.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.base import image_files
from iiszoo.data.seg_dataset import SegDataset
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks, Image


def load(card: DatasetCard, root: Path | None = None, argument: str = "") -> AllRegions:
    """All objects of the maps in the directory `argument`, which is relative to `root` or the working directory."""
    place = (root or Path()) / Path(argument).expanduser()
    if not place.is_dir():
        raise DatasetError(f"dataset labels:{argument}: there is no directory {place.resolve()}")
    return AllRegions(f"labels:{argument}", LabelMaps(place, f"labels:{argument}"))


class LabelMaps(SegDataset):
    """The photographs in `place` that have a label map. Raises `DatasetError` if there are none."""

    def __init__(self, place: Path, name: str = "") -> None:
        self.place = place
        self._name = name or f"labels:{place}"
        if not self._files:
            raise DatasetError(f"{self.name}: {place} has no photograph ID.webp (or .jpg, ...) with a map ID_0.png")

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def _files(self) -> list[tuple[Path, list[Path]]]:
        images = {path.stem: path for path in image_files(self.place)}
        maps: dict[str, list[tuple[int, Path]]] = {}
        for stem, path in images.items():
            id, _, number = stem.rpartition("_")
            if path.suffix == ".png" and number.isdecimal() and id in images:
                maps.setdefault(id, []).append((int(number), path))
        return [(images[id], [path for _, path in sorted(found)]) for id, found in sorted(maps.items())]

    def __len__(self) -> int:
        return len(self._files)

    def get_sample(self, i: int) -> tuple[Image, FullMasks, dict[str, Any]]:
        return self.read_image(i), self.read_masks(i), {}

    def image_id(self, i: int) -> str:
        return self._files[i][0].stem

    def read_image(self, i: int) -> Image:
        from iiszoo.data.read import read_image

        return read_image(self._files[i][0])

    def read_masks(self, i: int) -> FullMasks:
        import numpy as np

        from iiszoo.data.read import read_mask

        layers = [read_mask(path) for path in self._files[i][1]]
        for path, layer in zip(self._files[i][1], layers, strict=True):
            if layer.ndim != 2 or layer.shape != layers[0].shape:
                raise DatasetError(f"{path}: a label map must have one channel and the same size as the others")
        return np.stack(layers, axis=2)

    def files_of(self, i: int) -> tuple[str, ...]:
        return (str(self._files[i][0]), *(str(path) for path in self._files[i][1]))

    def check_files(self) -> Iterator[str]:
        for image, maps in self._files:
            for path in maps:
                try:
                    sizes = file_checks.picture_size(image), file_checks.picture_size(path)
                except DatasetError as error:
                    yield str(error)
                else:
                    if sizes[0] != sizes[1]:
                        yield file_checks.sizes_differ(f"{image} and {path}", "image", sizes[0], sizes[1])

    def stamp(self) -> str:
        return file_checks.stamp(path for image, maps in self._files for path in (image, *maps))
