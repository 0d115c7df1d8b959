"""Where the images and the masks of a user's folder are.

A layout is used if it is the only one that fits; what does not fit, or fits in several ways, is named with the way out.
docs/datasets.md shows the layouts as a table.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iiszoo import own_files
from iiszoo.data.pairing import image_files, named_as_mask
from iiszoo.data.picture_file import OTHER_SUFFIXES, SUFFIXES
from iiszoo.data.visible_files import visible_tree
from iiszoo.data.warn_once import warn_once
from iiszoo.errors import DatasetError, few
from iiszoo.names import Name
from iiszoo.own_files import IMAGE_FOLDERS, MASK_FOLDERS, folder_word

PREFERRED = (("images", "masks"), ("img", "gt"), ("data_GT", "boundary_GT"))
"""Used even if other folders look like images or masks too."""
_VOC = ("segmentationobjectpng", "segmentationobject", "segmentationclasspng", "segmentationclass")
"""Masks of the same images, by objects and by classes: the first that is there is used. labelme writes arrays beside
those in PNG.
"""
_MASKS = "a folder masks, labels, annotations, gt or the like, or beside the images as NAME_mask.png"

_log = logging.getLogger(__name__)


class Layout(NamedTuple):
    """`images` and `masks`: the directories, which may be the same. `folders`: the subfolders of either, "" for
    the directories themselves.
    """

    images: Path
    masks: Path
    folders: tuple[str, ...]


def find(place: Path, argument: str, options: Mapping[str, str]) -> Layout:
    """The layout of the directory `place`, which is `argument` in the dataset's name.

    `options`: those of the name; `images` and `masks` are directories, from `place`. Raises `DatasetError`.
    """
    named = {key: place / options[key] for key in ("images", "masks") if options.get(key)}
    for key, directory in named.items():
        if not directory.is_dir():
            raise DatasetError(f"there is no directory {directory} with {key}")
    children = _children(place)
    images = [named["images"]] if "images" in named else _with_pictures(children, IMAGE_FOLDERS)
    masks = [named["masks"]] if "masks" in named else _with_pictures(children, MASK_FOLDERS)
    for names in () if named else PREFERRED:
        preferred = [_exactly(found, name) for found, name in zip((images, masks), names, strict=True)]
        if all(preferred):
            images, masks = preferred
            break
    of_voc = [mask for word in _VOC for mask in masks if folder_word(mask.name) == word]
    if len(of_voc) == len(masks):
        masks = of_voc[:1]
    for key, found in (("masks", masks), ("images", images)):
        if len(found) > 1:
            ways = [Name("folder", argument, {**options, key: path.name}) for path in found]
            raise DatasetError(
                f"any of {', '.join(map(str, found))} could be the folder of {key}; did you mean {_or(ways)}?"
            )
    if not images and image_files(place):
        images = [place]
    if images and masks:
        folders = _common_folders(images[0], masks[0], inside=images[0] == place)
        if folders:
            return Layout(images[0], masks[0], folders)
        raise DatasetError(_apart(place, argument, options, images[0], masks[0]))
    if images and not masks and (folders := _folders_with_masks(images[0], inside=images[0] == place)):
        return Layout(images[0], images[0], folders)
    raise DatasetError(_way_out(place, argument, options, images))


def _way_out(place: Path, argument: str, options: Mapping[str, str], images: Sequence[Path]) -> str:
    """What is there instead of a layout, and what to do."""
    start = f"no masks for the images in {images[0]}" if images else f"{place} contains no images and masks"
    inner = [Name("folder", (Path(argument) / child.name).as_posix(), options) for child in _layouts_in(place)]
    clauses = [f"did you mean {_or(inner)}?"] if inner else []
    clauses += own_files.other_annotations(place, argument)
    if not clauses and (place / "ImageSets" / "Segmentation").is_dir():
        clauses = [f"did you mean pascal_voc with --root {place}?"]
    if not clauses and _is_part_of_layout(place):
        clauses = [f"did you mean {Name('folder', _above(argument), options)}?"]
    if clauses:
        return "; ".join([start, *clauses])
    expected = (
        f": they are looked for in {_MASKS}" if images else ": expected are folders images and masks, or the like"
    )
    holders = [child.name for child in _children(place) if _has_pictures(child) and child not in images]
    if not holders:
        return f"{start}{expected}"
    way = Name("folder", argument, {**options, **({} if images else {"images": "IMAGES"}), "masks": "MASKS"})
    more = ", ..." if len(holders) > 8 else ""
    return f'{start}{expected}; there are pictures in {", ".join(holders[:8])}{more}: say which they are, "{way}"'


def _layouts_in(place: Path) -> list[Path]:
    """The subfolders that have a layout of their own, such as `train` and `val`."""
    return [child for child in _children(place) if _has_layout(child)]


def _has_layout(place: Path) -> bool:
    children = _children(place)
    return bool(_with_pictures(children, IMAGE_FOLDERS) and _with_pictures(children, MASK_FOLDERS))


def _is_part_of_layout(place: Path) -> bool:
    """Whether it is the folder of the images or of the masks."""
    place = place.absolute()
    word = folder_word(place.name)
    return word in IMAGE_FOLDERS | MASK_FOLDERS and _has_layout(place.parent)


def _above(argument: str) -> str:
    path = Path(argument)
    return str(path.parent) if path.name not in ("", "..") else str(path / "..")


def _common_folders(images: Path, masks: Path, inside: bool) -> tuple[str, ...]:
    """The subfolders in which images and masks pair; () if there are none. Pictures outside subfolders leave those in
    them out, which is said; `inside`: the masks' folder is in the images'.
    """
    own, others = [""] if inside else list(_folders(images)), list(_folders(masks))
    if not set(own) & set(others):
        return ()
    if "" not in own:
        return ("", *sorted({*own, *others} - {""}))
    left = [] if inside else sorted({*own, *others} - {""})
    if left:
        warn_once(
            _log, f"{images} and {masks}: the pictures in subfolders ({few(left)}) are left out, as others lie outside"
        )
    return ("",)


def _apart(place: Path, argument: str, options: Mapping[str, str], images: Path, masks: Path) -> str:
    """The sentence for images and masks that are in no common subfolder. If all of a side are in one, it is named."""
    where, named = [], dict(options)
    for key, directory in (("images", images), ("masks", masks)):
        folders = [""] if directory == place else list(_folders(directory))
        where.append(f"the {key} are in " + few([str(directory / folder) for folder in folders]))
        if len(folders) == 1 and folders != [""]:
            named[key] = Path(os.path.relpath(directory / folders[0], place)).as_posix()
    hint = (
        f"did you mean {Name('folder', argument, named)}?"
        if named != options
        else "one must have the folders of the other"
    )
    return f"{where[0]}, and {where[1]}; {hint}"


def _folders_with_masks(directory: Path, inside: bool) -> tuple[str, ...]:
    """The subfolders of a directory if any has masks beside images; else ()."""
    folders = list(_folders(directory))
    folders = [""] if inside or "" in folders else folders
    for folder in folders:
        stems = {path.stem for path in image_files(directory / folder)}
        if any(named_as_mask(stem, stems) for stem in stems):
            return tuple(dict.fromkeys(["", *folders]))
    return ()


def _folders(directory: Path) -> Iterator[str]:
    """The folders under a directory, with "/" between their parts, that have pictures; "" is the directory itself."""
    for path, files in visible_tree(directory):
        if any(map(_is_picture, files)):
            relative = path.relative_to(directory).as_posix()
            yield "" if relative == "." else relative


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES | OTHER_SUFFIXES


def _has_pictures(directory: Path) -> bool:
    return next(_folders(directory), None) is not None


def _children(place: Path) -> list[Path]:
    return [child for child in own_files.children(place) if child.is_dir()]


def _with_pictures(children: Sequence[Path], words: frozenset[str]) -> list[Path]:
    return [child for child in children if folder_word(child.name) in words and _has_pictures(child)]


def _exactly(found: Sequence[Path], name: str) -> list[Path]:
    """The folder of this name; in other capitals only if there is none, and one such."""
    exact = [path for path in found if path.name == name]
    return exact or [path for path in found if path.name.casefold() == name.casefold()][:2]


def _or(names: Sequence[Name]) -> str:
    return " or ".join(map(str, names[:5]))
