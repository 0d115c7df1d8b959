"""The tables of an instances file in COCO's format, read as tools write them, and checked.

Ids are integers or text; `7`, `7.0` and `"7"` are one id. A file is refused if it is unclear which object belongs to
which image. A fault in one image's size or in one annotation is reported only when that one is used, so that the others
remain usable.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iiszoo.data import file_checks, listed_names, outlines
from iiszoo.data.outlines import RunLengths, whole_number
from iiszoo.data.picture_file import MAX_PIXELS
from iiszoo.data.warn_once import warn_once
from iiszoo.errors import DatasetError, few

Id = int | str

_LONGEST_SIDE = 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotation:
    """One entry of `annotations`. `label` names it in messages. `segmentation` is as in the file. `fault` says what is
    wrong with the rest, "" if nothing is. An annotation whose `iscrowd` is invalid counts as an object, which its fault
    keeps from being used.
    """

    label: str
    id: Any
    segmentation: Any
    category: str | None
    crowd: bool
    fault: str


@dataclass(frozen=True)
class CocoImage:
    """One entry of `images` with its annotations. `name` is its path from the image folder, `spelled` the same as
    written in the file; `stated_size` (rows, columns) as written in the file.
    """

    id: Id
    name: str
    spelled: str
    stated_size: tuple[Any, Any]
    annotations: list[Annotation] = field(default_factory=list)


def read(file: Path, folder: Path) -> list[CocoImage]:
    """The images of `file`, whose names must lead to files inside `folder`. Raises `DatasetError` naming the entry."""
    return images_in(file_checks.json_in(file), file, folder)


def results_in(found: list[Any], file: Path) -> dict[Id, list[Annotation]]:
    """The entries of a list of results, `{"image_id", "segmentation", ...}` each, by image id, in their order.

    Raises `DatasetError` naming the entry.
    """
    results: dict[Id, list[Annotation]] = {}
    for n, entry in enumerate(found, 1):
        label = _label(entry, n)
        id = _id(entry.get("image_id")) if isinstance(entry, dict) else None
        if id is None:
            raise DatasetError(f"{file}: {label} is not a result, an object with image_id and segmentation")
        results.setdefault(id, []).append(_annotation(label, entry, {}))
    return results


def same_id(a: Any, b: Any) -> bool:
    """Whether two ids are the same; `7`, `7.0` and `"7"` are."""
    return _id(a) is not None and _id(a) == _id(b)


def images_in(found: Any, file: Path, folder: Path) -> list[CocoImage]:
    """As `read`, for `found`, the parsed JSON of `file`."""
    if not isinstance(found, dict) or not all(isinstance(found.get(key), list) for key in ("images", "annotations")):
        raise DatasetError(
            f"{file}: is not an instances file in COCO's format: an object with the lists images (id, file_name) and "
            "annotations (image_id, segmentation)"
        )
    images: dict[Id, CocoImage] = {}
    named: dict[str, Id] = {}
    for n, entry in enumerate(found["images"], 1):
        image = _image(file, folder, n, entry)
        if image.id in images:
            raise DatasetError(f"{file}: two images have the id {image.id!r}; make ids unique")
        if image.name in named:
            raise DatasetError(
                f"{file}: images {named[image.name]!r} and {image.id!r} have one file_name, {image.name!r}; join them"
            )
        images[image.id], named[image.name] = image, image.id
    categories = _categories(file, found.get("categories"))
    left_over = []
    for n, entry in enumerate(found["annotations"], 1):
        label = _label(entry, n)
        if not isinstance(entry, dict):
            raise DatasetError(f"{file}: {label} is not an object with image_id and segmentation")
        id = _id(entry.get("image_id"))
        if id is None:
            raise DatasetError(
                f"{file}: {label} has image_id {_shown(entry.get('image_id'))}, which is not an image's id"
            )
        if id in images:
            images[id].annotations.append(_annotation(label, entry, categories))
        else:
            left_over.append(label)
    _warn_of_left_over(file, left_over, len(found["annotations"]))
    return list(images.values())


def checked_size(file: Path, image: CocoImage) -> tuple[int, int] | None:
    """(rows, columns) as stated in the file, None if they are not. Raises `DatasetError` if no image can have them."""
    stated = image.stated_size
    if None in stated:
        return None
    size = (whole_number(stated[0]) or 0, whole_number(stated[1]) or 0)
    if min(size) < 1:
        raise DatasetError(
            f"{file}: image {image.id} has height {_shown(stated[0])} and width {_shown(stated[1])}; give its "
            "rows and columns, or leave both out to read them from the image"
        )
    check_drawable(f"{file}: image {image.id}", size)
    return size


def check_drawable(named: str, size: tuple[int, int]) -> None:
    """Raise `DatasetError` for images that are too large to read."""
    if size[0] * size[1] > MAX_PIXELS or max(size) > _LONGEST_SIDE:
        shown = "x".join(map(_shown, size))
        raise DatasetError(f"{named} of {shown} pixels (rows x columns) is too large to be drawn on")


def _image(file: Path, folder: Path, n: int, entry: Any) -> CocoImage:
    if not isinstance(entry, dict):
        raise DatasetError(f"{file}: image number {n} of the list is not an object with id and file_name")
    id = _id(entry.get("id"))
    if id is None:
        raise DatasetError(
            f"{file}: image number {n} of the list has the id {_shown(entry.get('id'))}; expected an integer or text"
        )
    spelled = entry.get("file_name")
    url = entry.get("coco_url")
    if spelled in (None, "") and isinstance(url, str):  # LVIS has only the url, ending in SPLIT/NAME
        spelled = "/".join(url.split("/")[-2:])
    if spelled is None:
        raise DatasetError(f"{file}: image {id!r} has no file_name")
    try:
        name = listed_names.inside(spelled, folder)
    except ValueError as error:
        raise DatasetError(
            f"{file}: image {id!r} has a file_name that cannot be used: {error}; expected the file's path from the "
            "image folder"
        ) from error
    return CocoImage(id, name, spelled, (entry.get("height"), entry.get("width")))


def _annotation(label: str, entry: dict[str, Any], categories: dict[Id, str]) -> Annotation:
    faults = []
    crowd = 0 if entry.get("iscrowd") is None else _flag(entry["iscrowd"])
    if crowd is None:
        faults.append(f"has iscrowd {_shown(entry['iscrowd'])}; expected 0 or 1")
    category, stated = None, entry.get("category_id")
    if stated is not None:
        id = _id(stated)
        if id is None:
            faults.append(f"has category_id {_shown(stated)}; expected the id of one category")
        else:
            category = categories.get(id)
    return Annotation(label, entry.get("id"), entry.get("segmentation"), category, crowd == 1, " and ".join(faults))


def _categories(file: Path, entries: Any) -> dict[Id, str]:
    """Names by id."""
    if entries is not None and not isinstance(entries, list):
        raise DatasetError(f"{file}: categories must be a list of objects with id and name, not {_shown(entries)}")
    names: dict[Id, str] = {}
    for entry in entries or ():
        id = _id(entry.get("id")) if isinstance(entry, dict) else None
        if id is None or entry.get("name") is None:
            raise DatasetError(f"{file}: a category is not an object with id and name: {_shown(entry)}")
        names[id] = str(entry["name"])
    return names


def _warn_of_left_over(file: Path, labels: list[str], n_annotations: int) -> None:
    """Warn of annotations of unlisted images, which are common: images are removed from the list. Raises `DatasetError`
    if there are no others.
    """
    if not labels:
        return
    if len(labels) == n_annotations:
        raise DatasetError(
            f"{file}: none of its {n_annotations} annotations is of an image that it lists; image_id must be the id of "
            "one of its images"
        )
    what = f"{len(labels)} of {n_annotations} annotations are of images that it does not list: {few(labels)}"
    warn_once(_log, f"{file}: {what}; they are left out")


def outline(label: str, segmentation: Any, size: tuple[int, int]) -> RunLengths:
    """The mask of an annotation's segmentation on `size` (rows, columns). Raises `DatasetError` that begins with
    `label`.
    """
    try:
        return outlines.run_lengths(segmentation, size)
    except ValueError as error:
        raise DatasetError(
            f"{label} has a segmentation that cannot be drawn on {size[0]}x{size[1]} pixels (rows x columns): "
            f"{error}; {outlines.EXPECTED}"
        ) from error


def _label(entry: Any, n: int) -> str:
    id = entry.get("id") if isinstance(entry, dict) else None
    return f"annotation number {n}" if id is None else f"annotation {_shown(id)}"


def _id(value: Any) -> Id | None:
    """An id in one form; None if the value cannot be one."""
    number = whole_number(value)
    if number is not None:
        return number
    return value.strip() or None if isinstance(value, str) else None


def _flag(value: Any) -> int | None:
    number = int(value) if isinstance(value, bool) else whole_number(value)
    return number if number in (0, 1) else None


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
