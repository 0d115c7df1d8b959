"""`folder:DIR`: your own images and masks, without code.

DIR contains two folders, images and masks or the like (`iiszoo.data.folder_layout`), or masks beside the images. A mask
has its image's stem, or is named `STEM__OBJECT` if an image has several objects, or `STEM_mask` and the like. Sample id
= the mask's stem (the image's for `STEM_mask`), as `iiszoo.file_names` writes it, after the subfolder if there is one.
What a mask's values mean: `iiszoo.data.mask_values`.

A mask with several object values is refused unless the name says what they mean: `folder:DIR?objects=all`, one target
of them all, or `folder:DIR?objects=values`, one target of each, with the id `STEM__VALUE`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import own_files
from iiszoo.cards import DatasetCard
from iiszoo.data import folder_layout
from iiszoo.data.base import EvaluationDataset, PairedFiles, Sample, Target, pair_by_stem
from iiszoo.errors import BadOption, DatasetError
from iiszoo.file_names import escaped
from iiszoo.names import parse_name

if TYPE_CHECKING:
    from iiszoo.data.base import Pair
    from iiszoo.data.mask_values import Labels


def load(
    card: DatasetCard,
    root: Path | None = None,
    argument: str = "",
    *,
    objects: str = "",
    images: str = "",
    masks: str = "",
) -> DrawnMasks | EachValue:
    """The images and masks under the directory `argument`, relative to `root` or the working directory.

    `objects`: `"all"`, `"values"`, or `""`, which refuses a mask with several object values. `images` and `masks`: the
    folders that contain them, from that directory, if their names do not say it. Raises `DatasetError`, and `BadOption`
    for other `objects`.
    """
    name = f"folder:{escaped(argument, '?')}"
    if objects not in ("", "all", "values"):
        raise BadOption(f"dataset {name}: objects must be all or values, not {objects}")
    place = (root or Path()) / Path(argument).expanduser()
    if not place.is_dir():
        hint = f" ({meant})" if place.is_file() and (meant := own_files.meant_by(escaped(argument, "?"))) else ""
        raise DatasetError(f"dataset {name}: there is no directory {place.resolve()}{hint}")
    options = {
        key: str(value) for key, value in {"objects": objects, "images": images, "masks": masks}.items() if value
    }
    try:
        found = folder_layout.find(place, argument, options)
        pairs = pair_by_stem(found.images, found.masks, objects=True, endings=True, folders=found.folders)
    except DatasetError as error:
        raise DatasetError(f"dataset {name}: {error}") from error
    drawn = DrawnMasks(name, place, pairs, merge=bool(objects))
    return EachValue(drawn) if objects == "values" else drawn


def labels_of(path: Path) -> Labels:
    """The labels of a mask file. Raises `DatasetError` naming it."""
    from iiszoo.data.mask_values import labels_in
    from iiszoo.data.picture_file import read_header
    from iiszoo.data.read import palette, read_mask

    pixels = read_mask(path)
    try:
        return labels_in(pixels, palette(path), lossy=read_header(path).lossy)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


def one_object(path: Path, hint: str) -> Target:
    """The target of a mask file with one object. Raises `DatasetError` that names the file and the values of several;
    `hint` ends the message.
    """
    from iiszoo.data.mask_values import several

    labels = labels_of(path)
    if len(labels.objects) > 1:
        raise DatasetError(
            f"{path}: contains several object values ({several(labels)}), which may or may not be one object; {hint}"
        )
    return labels.all_objects()


class DrawnMasks(PairedFiles):
    """Masks by the rule of `iiszoo.data.mask_values`; with `merge`, a mask's object values are one object."""

    def __init__(self, name: str, place: Path, pairs: Sequence[Pair], *, merge: bool = False) -> None:
        super().__init__(name, place, pairs)
        self.merge = merge

    def target_in(self, path: Path) -> Target:
        if self.merge:
            return labels_of(path).all_objects()
        name = parse_name(self.name if self.name.startswith("folder:") else f"folder:{self.place}")
        each, all = (name.with_options({"objects": objects}) for objects in ("values", "all"))
        return one_object(path, f"{each} makes one target of each, {all} one of all")

    def check_files(self) -> Iterator[str]:
        """The faults in headers, then masks that cannot be decoded or have several objects."""
        faults = set()
        for fault in super().check_files():
            faults.add(fault)
            yield fault
        for sample in self:
            try:
                sample.read_target()
            except DatasetError as error:
                if str(error) not in faults:
                    yield str(error)


class EachValue(EvaluationDataset):
    """One sample per object value of each mask of `source`: `STEM__VALUE`. A mask that has none, or cannot be read, is
    one sample, `STEM`, which an inspection reports. All masks are read on first use.
    """

    def __init__(self, source: DrawnMasks) -> None:
        self.source, self.name, self.place = source, source.name, source.place

    @cached_property
    def _samples(self) -> list[tuple[int, int | None, str]]:
        """(index in `source`, value, sample id)."""
        samples: list[tuple[int, int | None, str]] = []
        for i, pair in enumerate(self.source.pairs):
            try:
                labels = None if pair.mask_fault else labels_of(pair.mask)
            except DatasetError:
                labels = None
            if labels is None or not labels.objects:
                samples.append((i, None, pair.id))
                continue
            samples += [(i, value, f"{pair.id}__{labels.name(value)}") for value in labels.objects]
        return samples

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> Sample:
        mask, value, id = self._samples[i]
        whole = self.source.sample(mask)
        if value is None:
            return replace(whole, id=id)
        return replace(whole, id=id, read_target=partial(_target_of, self.source.pairs[mask].mask, value))

    def stamp(self) -> str:
        return self.source.stamp()

    def check_files(self) -> Iterator[str]:
        return self.source.check_files()


def _target_of(path: Path, value: int) -> Target:
    labels = labels_of(path)
    return Target(labels.values == value, labels.ignore)
