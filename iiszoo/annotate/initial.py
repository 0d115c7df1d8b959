"""Masks that images come with, to be corrected: `masks:DIR` or `coco:FILE`.

- `masks:DIR`: files named after their image, `STEM`, or `STEM__OBJECT` if there are several. A picture's values mean
  what they mean in `folder:DIR` (`iiszoo.data.mask_values`): each object value is an object of its own. `.npy` files
  contain probabilities; a pixel is object above 0.5.
- `coco:FILE`: instances in COCO's format, matched by file name. Crowds are left out. Labels are the categories' names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from iiszoo.annotate import masks
from iiszoo.annotate.images import ImageFile
from iiszoo.annotate.masks import Mask, Packed
from iiszoo.data import coco_tables, file_checks, outlines
from iiszoo.data.base import image_files
from iiszoo.data.coco_tables import CocoImage
from iiszoo.data.datasets.folder import labels_of
from iiszoo.data.probability_file import SUFFIX, read_probabilities
from iiszoo.errors import BadOption, DatasetError
from iiszoo.file_names import composed


class InitialMasks:
    """The masks of `images`. Raises `BadOption`, or `DatasetError` if there is none for any image."""

    def __init__(self, source: str, images: Sequence[ImageFile]) -> None:
        self.source, self.images = source, images
        kind, _, argument = source.partition(":")
        path = Path(argument).expanduser()
        self._files: dict[int, list[Path]] = {}
        self._entries: dict[int, CocoImage] = {}
        if kind == "masks" and argument:
            self._files = _files_by_image(path, images)
        elif kind == "coco" and argument:
            self.file = path
            self._entries = _entries_by_image(path, images)
        else:
            raise BadOption(f"initial masks {source!r} are neither masks:DIR nor coco:FILE")
        if not self._files and not self._entries:
            raise DatasetError(f"initial masks {source}: none belongs to an image; {_rule(kind, images[0])}")

    def masks(self, number: int) -> list[tuple[str, Packed]]:
        """The label ("" if there is none) and the mask of each object of an image. Raises `DatasetError`."""
        found = [("", mask) for path in self._files.get(number, []) for mask in _in_file(path)]
        if number in self._entries:
            found += self._of_coco(number)
        for _, mask in found:
            if mask.shape != self.images[number].size:
                sizes = self.images[number].size, mask.shape
                raise DatasetError(file_checks.sizes_differ(f"{self.images[number].path}", "image", *sizes))
        return [(label, masks.packed(mask)) for label, mask in found if mask.any()]

    def _of_coco(self, number: int) -> list[tuple[str, Mask]]:
        entry = self._entries[number]
        size = coco_tables.checked_size(self.file, entry) or self.images[number].size
        found = []
        for annotation in entry.annotations:
            if annotation.crowd:
                continue
            label = f"{self.file}: {annotation.label} of image {entry.id}"
            if annotation.fault:
                raise DatasetError(f"{label} {annotation.fault}")
            if annotation.segmentation:
                mask = outlines.drawn(coco_tables.outline(label, annotation.segmentation, size))
                found.append((annotation.category or "", mask))
        return found


def _files_by_image(directory: Path, images: Sequence[ImageFile]) -> dict[int, list[Path]]:
    if not directory.is_dir():
        raise DatasetError(f"initial masks: there is no directory {directory}")
    arrays = sorted(path for path in directory.iterdir() if path.suffix.lower() == SUFFIX)
    stems = Counter(composed(image.path.stem) for image in images)
    numbers = {stem: number for number, image in enumerate(images) if stems[stem := composed(image.path.stem)] == 1}
    results = {image.stem: number for number, image in enumerate(images)}  # what an earlier --out has
    found: dict[int, list[Path]] = {}
    for path in [*image_files(directory), *arrays]:
        stem = composed(path.stem)
        names = (stem, stem.rpartition("__")[0])
        number = next((known[name] for name in names for known in (numbers, results) if name in known), None)
        if number is not None:
            found.setdefault(number, []).append(path)
    return found


def _in_file(path: Path) -> list[Mask]:
    if path.suffix.lower() == SUFFIX:
        return [np.asarray(read_probabilities(path) > 0.5)]
    labels = labels_of(path)
    return [np.asarray(labels.values == value) for value in labels.objects]


def _entries_by_image(file: Path, images: Sequence[ImageFile]) -> dict[int, CocoImage]:
    entries: dict[str, list[CocoImage]] = {}
    for entry in coco_tables.images_in(file_checks.json_in(file), file, file.parent):
        entries.setdefault(PurePosixPath(entry.name).name, []).append(entry)
    found: dict[int, CocoImage] = {}
    for number, image in enumerate(images):
        named = entries.get(image.path.name) or entries.get(image.link) or []
        if len(named) > 1:
            both = " and ".join(repr(entry.name) for entry in named)
            raise DatasetError(f"initial masks {file}: {both} may both be {image.path}; keep one of them")
        if named and named[0].annotations:
            found[number] = named[0]
    return found


def _rule(kind: str, image: ImageFile) -> str:
    if kind == "masks":
        return f"a mask of {image.name} is called {image.path.stem}.png or {image.path.stem}__1.png"
    return f"an image of the file must be called {image.name}"
