"""Pairing image and mask files by name. Composed and decomposed accents are equal."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data.picture_file import OTHER_SUFFIXES, READ, SUFFIXES
from iiszoo.data.visible_files import visible_files
from iiszoo.errors import DatasetError
from iiszoo.file_names import composed, sample_name

if TYPE_CHECKING:
    from iiszoo.data.base import Image

_ENDING = re.compile(
    r"(?P<image>.+)[_\-. ](?:masks?|gt|ground_?truth|seg|segmentation|labels?|annotations?)(?:[_\- ]?(?P<object>\d+))?",
    re.IGNORECASE | re.DOTALL,
)
"""Stems of masks that are named after their image and what they are: `X_mask`, `X-gt`, `X.seg`, `X_mask_2`."""

Files = dict[str, list[Path]]
"""Files by composed stem, after the folder that they are in: `a/1` for `images/a/1.jpg`."""


@dataclass(frozen=True)
class Pair:
    """One sample from files: its id, image and mask.

    `image_fault` and `mask_fault` say why there is no such file, or more than one: the sample is then broken, and the
    path is the expected one.
    """

    id: str
    image: Path
    mask: Path
    image_fault: str = ""
    mask_fault: str = ""

    def read_image(self) -> Image:
        """Uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""
        from iiszoo.data.read import read_image

        if self.image_fault:
            raise DatasetError(self.image_fault)
        return read_image(self.image)


def image_files(directory: Path) -> list[Path]:
    """The image files of a directory, sorted by stem, then name; without hidden files."""
    return [path for path in visible_files(directory) if path.suffix.lower() in SUFFIXES]


def pair_by_stem(
    images: Path, masks: Path, *, objects: bool = False, endings: bool = False, folders: Sequence[str] = ("",)
) -> list[Pair]:
    """Pair the files of two directories by stem, sorted by it.

    With `objects`, a mask may also be named `STEM__OBJECT`: several objects of one image. With `endings`, the masks of
    an image that has none of these names may be `STEM_mask`, `STEM-gt`, `STEM_seg` and the like, or `STEM_mask_K` for
    several; both directories may then be the same. `folders` are the subfolders of either, "" the directories
    themselves; a file pairs within its folder, which is part of the sample's id.

    An image without a mask, a mask without an image, a file of an unsupported kind, images that share a stem and masks
    that share one become broken samples, so that all faults of a dataset are reported together. Raises `DatasetError`
    if there are files but no two pair.
    """
    with_stem, other_images = _by_stem(images, folders)
    if images == masks:
        stems = set(with_stem)
        with_stem, drawn = _divided(with_stem, stems)
        other_images, other_masks = _divided(other_images, stems)
    else:
        drawn, other_masks = _by_stem(masks, folders)
    plain = {_image_of(stem, with_stem, objects) for stem in drawn}
    names = {
        stem: _owner(stem, with_stem, objects, plain) if endings else (stem, _image_of(stem, with_stem, objects))
        for stem in [*drawn, *other_masks]
    }
    with_id: Files = {}
    for stem, files in drawn.items():
        with_id.setdefault(names[stem][0], []).extend(files)
    owners = dict(names.values())
    # A file named like a mask is meant as one, whatever its kind; so is a file named like an image that has masks.
    have_masks = {owners[id] for id in with_id}
    for stem, files in other_masks.items():
        id, image_stem = names[stem]
        if id not in with_id and ((image_stem in with_stem and image_stem not in have_masks) or _is_picture(files)):
            with_id[id] = files
    wanted = {*with_id, *(owners[id] for id in with_id)}
    for stem, files in other_images.items():
        if stem not in with_stem and (stem in wanted or _is_picture(files)):
            with_stem[stem] = files
    pairs: list[Pair] = []
    masked: set[str] = set()
    for id, mask_files in with_id.items():
        stem = owners[id]
        masked.add(stem)
        lonely = f"{mask_files[0].parent}: mask {mask_files[0].name} has no image"
        image, image_fault = _only(with_stem.get(stem, []), images / stem, lonely)
        mask, mask_fault = _only(mask_files, masks / id, "")
        pairs.append(Pair(sample_name(id), image, mask, image_fault, mask_fault))
    for stem in with_stem.keys() - masked:
        image, image_fault = _only(with_stem[stem], images / stem, "")
        lonely = f"{image.parent}: image {image.name} has no mask"
        pairs.append(Pair(sample_name(stem), image, masks / stem, image_fault, lonely))
    pairs.sort(key=lambda pair: pair.id)
    if pairs and all(pair.image_fault or pair.mask_fault for pair in pairs):
        rules = ["a mask has the name of its image"]
        rules += ["or STEM__OBJECT if there are several"] if objects else []
        rules += ["or STEM_mask, STEM_gt, STEM_seg, STEM_label"] if endings else []
        faults = dict.fromkeys(fault for pair in pairs for fault in (pair.image_fault, pair.mask_fault) if fault)
        raise DatasetError(f"{images} and {masks} do not pair; {', '.join(rules)}:\n  " + "\n  ".join(faults))
    return pairs


def named_as_mask(stem: str, stems: Collection[str]) -> bool:
    """Whether a file is named as the mask of another of `stems`, beside which it is: `X_mask` beside `X`."""
    found = _ENDING.fullmatch(stem)
    return found is not None and found["image"] in stems


def _by_stem(directory: Path, folders: Sequence[str]) -> tuple[Files, Files]:
    """The files of a directory by composed stem: those of supported kinds, and all others. It may lack a folder."""
    read: Files = {}
    others: Files = {}
    for folder in folders:
        if folder and not (directory / folder).is_dir():
            continue
        for path in visible_files(directory / folder):
            kind = read if path.suffix.lower() in SUFFIXES else others
            stem = composed(path.stem)
            kind.setdefault(f"{composed(folder)}/{stem}" if folder else stem, []).append(path)
    return read, others


def _divided(files: Files, stems: Collection[str]) -> tuple[Files, Files]:
    """The images and the masks of one directory, told apart by the masks' names."""
    masks = {stem for stem in files if named_as_mask(stem, stems)}
    return (
        {stem: found for stem, found in files.items() if stem not in masks},
        {stem: files[stem] for stem in files if stem in masks},
    )


def _owner(mask: str, images: Collection[str], objects: bool, plain: Collection[str]) -> tuple[str, str]:
    """(sample id, image's stem) of a mask with this stem. An ending counts only if the image has no mask without."""
    found = _ENDING.fullmatch(mask)
    if mask not in images and found is not None and found["image"] in images and found["image"] not in plain:
        image = found["image"]
        return (f"{image}__{found['object']}" if found["object"] else image), image
    return mask, _image_of(mask, images, objects)


def _image_of(mask: str, images: Collection[str], objects: bool) -> str:
    """The stem of the image that a mask with this stem belongs to."""
    return mask.rsplit("__", 1)[0] if objects and mask not in images else mask


def _is_picture(files: Sequence[Path]) -> bool:
    return any(path.suffix.lower() in OTHER_SUFFIXES for path in files)


def _only(files: Sequence[Path], expected: Path, absent: str) -> tuple[Path, str]:
    """The only file and ""; else a path, `expected` if there is no file, and what is wrong."""
    if not files:
        return expected, absent
    place = files[0].parent
    unread = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if unread:
        kind = unread[0].suffix or "no suffix"
        return files[0], f"{place}: {unread[0].name} is of an unsupported kind ({kind}); supported are {READ}"
    if len(files) == 1:
        return files[0], ""
    names = [path.name for path in files]
    if len(set(map(composed, names))) < len(names):  # they look alike
        return files[0], f"{place}: {' and '.join(map(ascii, names))} differ only in how accents are composed; keep one"
    if len({composed(path.stem) for path in files}) > 1:
        return files[0], f"{place}: {' and '.join(names)} are masks of one image; keep one"
    return files[0], f"{place}: {' and '.join(names)} share one stem; keep one"
