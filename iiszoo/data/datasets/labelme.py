"""`labelme:DIR`: images annotated with labelme, one JSON file each (`iiszoo.data.labelme_shapes`).

All JSON files under DIR are read; those of other kinds are left out, with a warning if they are beside labelme's. The
image of a file is looked for in turn: at its `imagePath` from its folder; under that name, then under the JSON file's
own stem, beside it and in DIR's folders of images (`images`, `JPEGImages`, ...), there also in the subfolder that the
JSON file is in; if there is none, the image that the file contains (`imageData`) is used. Nothing outside DIR is read.

Each object is one sample: the shapes with one label and one `group_id`, or a shape without a group. It keeps all its
pixels where others overlap it. What `__ignore__` covers is ignored except for the object's own pixels; `_background_`
cuts away what was drawn before it; points and lines have no area and are left out with a warning. Sample id = the JSON
file's path from DIR without suffix, then `__N` if the object's first shape is the Nth of the file.

`labelme:DIR?label=cat` reads the objects of one label, `labelme:DIR?objects=all` makes one target of all objects of an
image, with the image's id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import own_files
from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, labelme_shapes, listed_names
from iiszoo.data.base import image_files
from iiszoo.data.coco_tables import check_drawable
from iiszoo.data.labelme_shapes import BACKGROUND, IGNORED, LabelmeFile, Shape
from iiszoo.data.outlined_images import OutlinedImages, OutlinedObjects
from iiszoo.data.outlines import RunLengths, whole_number
from iiszoo.data.picture_file import read_header
from iiszoo.data.seg_dataset import Region
from iiszoo.data.visible_files import visible_tree
from iiszoo.data.warn_once import warn_once
from iiszoo.errors import BadOption, DatasetError, few
from iiszoo.file_names import composed, escaped, sample_name
from iiszoo.own_files import IMAGE_FOLDERS, folder_word

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import Image

_EMBEDDED = "imageData"
"""What messages call the image in a file."""

_log = logging.getLogger(__name__)


def load(
    card: DatasetCard, root: Path | None = None, argument: str = "", *, objects: str = "", label: object = ""
) -> OutlinedObjects[LabelmeImages]:
    """The objects in the directory `argument`, relative to `root` or the working directory.

    `objects`: `"all"`, or `""`, each on its own; `label`: only those with this label. Raises `DatasetError`, and
    `BadOption` for other `objects`.
    """
    name = f"labelme:{escaped(argument, '?')}"
    if objects not in ("", "all"):
        raise BadOption(f"dataset {name}: objects must be all, or left out, not {objects}")
    place = (root or Path()) / Path(argument).expanduser()
    if place.is_file():
        raise DatasetError(
            f"dataset {name}: it is a file; did you mean labelme:{escaped(str(Path(argument).parent), '?')}?"
        )
    if not place.is_dir():
        raise DatasetError(f"dataset {name}: there is no directory {place.resolve()}")
    source = LabelmeImages(place, join=objects == "all", label=str(label))
    if not source.files:
        other = own_files.other_annotations(place, argument)
        raise DatasetError("; ".join([f"dataset {name}: {place} has no labelme files (.json)", *other]))
    return OutlinedObjects(name, source)


class LabelmeImages(OutlinedImages):
    """The images of the labelme files under `place`, for training and evaluation; `join`: all objects of an image are
    one; `label`: only objects with this label, "" for all. `info["classes"]` has the labels.
    """

    def __init__(self, place: Path, *, join: bool = False, label: str = "") -> None:
        super().__init__(place)
        self.join, self.label = join, label
        self._images: dict[Path, dict[str, list[Path]]] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._known: dict[int, Path | None] = {}

    @cached_property
    def files(self) -> list[Path]:
        """The JSON files, sorted by path from `place`."""
        every = (folder / name for folder, names in visible_tree(self.place) for name in names)
        return sorted(path for path in every if path.suffix.lower() == ".json" and path.is_file())

    @cached_property
    def _entries(self) -> list[tuple[Path, LabelmeFile | DatasetError]]:
        """The labelme files, and those that cannot be read. All are read on first use."""
        entries: list[tuple[Path, LabelmeFile | DatasetError]] = []
        others = []
        for path in self.files:
            try:
                found = labelme_shapes.read(path)
            except DatasetError as error:
                entries.append((path, error))
                continue
            if found is None:
                others.append(path)
            else:
                entries.append((path, found))
        if not entries:
            listed = own_files.other_annotations(self.place, str(self.place))
            raise DatasetError(
                "; ".join([f"{self.place} has no labelme files, but {len(others)} other .json", *listed])
            )
        folders = {path.parent for path, _ in entries}
        others = [path for path in others if path.parent in folders]  # elsewhere they are of other programs
        if others:
            warn_once(_log, f"{self.place}: left out are JSON files that are not labelme's: {few(others)}")
        self._warn_of_lines([found for _, found in entries if isinstance(found, LabelmeFile)])
        return entries

    def _warn_of_lines(self, files: Sequence[LabelmeFile]) -> None:
        lines = [f"{file.path}: {shape}" for file in files for shape in file.shapes if not shape.is_area]
        if lines:
            warn_once(
                _log, f"{self.place}: {len(lines)} points and lines are left out, as they have no area: {few(lines)}"
            )

    def __len__(self) -> int:
        return len(self._entries)

    def image_id(self, i: int) -> str:
        """The JSON file's path from `place`, without suffix."""
        return sample_name(self._entries[i][0].relative_to(self.place).with_suffix("").as_posix())

    def annotation_file(self, i: int) -> Path:
        return self._entries[i][0]

    def annotation_fault(self, i: int) -> str | None:
        found = self._entries[i][1]
        return str(found) if isinstance(found, DatasetError) else None

    def _file(self, i: int) -> LabelmeFile:
        found = self._entries[i][1]
        if isinstance(found, DatasetError):
            raise found
        return found

    def _instances(self, i: int) -> dict[int, list[Shape]]:
        """The shapes of each object of image i."""
        found = [
            shapes for shapes in labelme_shapes.instances(self._file(i).shapes) if self.label in ("", shapes[0].label)
        ]
        if self.join:
            return {0: [shape for shapes in found for shape in shapes]} if found else {}
        return {shapes[0].number - 1: shapes for shapes in found}

    def objects(self, i: int) -> list[int]:
        return list(self._instances(i))

    def sample_id(self, i: int, k: int) -> str:
        return self.image_id(i) if self.join else super().sample_id(i, k)

    def outline(self, i: int, k: int) -> RunLengths:
        return labelme_shapes.covered(self._file(i), self._instances(i)[k], self.size(i))

    def ignored(self, i: int) -> RunLengths | None:
        shapes = [shape for shape in self._file(i).shapes if shape.label == IGNORED and shape.is_area]
        return labelme_shapes.covered(self._file(i), shapes, self.size(i)) if shapes else None

    def info_of(self, i: int, regions: Sequence[Region]) -> dict[str, Any]:
        found = self._instances(i)
        return {"classes": {} if self.join else {region: found[region.value - 1][0].label for region in regions}}

    def why_empty(self, i: int, k: int) -> str:
        shapes = self._instances(i)[k]
        return f"{' and '.join(map(str, shapes[:3]))} {'cover' if len(shapes) > 1 else 'covers'} no pixel of the image"

    def why_none(self) -> str:
        shapes = [shape for _, found in self._entries if isinstance(found, LabelmeFile) for shape in found.shapes]
        labels = sorted({shape.label for shape in shapes if shape.is_object})
        if labels:
            return f"{self.place} has no object with the label {self.label!r}; the labels are {few(labels, 10)}"
        others = f"; their {len(shapes)} shapes are points, lines, {IGNORED} or {BACKGROUND}" if shapes else ""
        return f"{self.place}: its {len(self._entries)} labelme files have no outlined object{others}"

    def size(self, i: int) -> tuple[int, int]:
        """(rows, columns), from the file or else from the image's header."""
        if i not in self._sizes:
            self._sizes[i] = self.mask_size(i) or self.image_size(i)
        return self._sizes[i]

    def mask_size(self, i: int) -> tuple[int, int] | None:
        file = self._file(i)
        if None in file.stated_size:
            return None
        rows, columns = (whole_number(value) or 0 for value in file.stated_size)
        if min(rows, columns) < 1:
            raise DatasetError(
                f"{file.path}: its imageHeight and imageWidth are {file.stated_size[0]!r:.40} and "
                f"{file.stated_size[1]!r:.40}; expected the image's rows and columns"
            )
        check_drawable(f"{file.path}: the image", (rows, columns))
        return rows, columns

    def image_size(self, i: int) -> tuple[int, int]:
        path = self.own_file(i)
        if path is None:
            file = self.annotation_file(i)
            return read_header(file / _EMBEDDED, labelme_shapes.embedded_image(file)).size
        self._require(i, path)
        return file_checks.picture_size(path)

    def read_image(self, i: int) -> Image:
        from iiszoo.data.read import read_image

        path = self.own_file(i)
        if path is None:
            file = self.annotation_file(i)
            return read_image(file / _EMBEDDED, labelme_shapes.embedded_image(file))
        self._require(i, path)
        return read_image(path)

    def own_file(self, i: int) -> Path | None:
        found = self._entries[i][1]
        embeds = isinstance(found, LabelmeFile) and found.embeds
        return self._found(i) or (None if embeds else self._expected(i))

    def image_file(self, i: int) -> Path:
        return self.own_file(i) or self.annotation_file(i)

    def files_of(self, i: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(super().files_of(i)))

    def _expected(self, i: int) -> Path:
        """Where the image would be if it is nowhere."""
        path, found = self._entries[i]
        name = _last(found.image_path) if isinstance(found, LabelmeFile) else ""
        return path.with_name(name or f"{path.stem}.jpg")

    def _require(self, i: int, path: Path) -> None:
        """Raise `DatasetError` if the image is nowhere."""
        if self._found(i) is not None:
            return
        why = f"there is no {path.name} beside it or in a folder of images, and the file does not contain it"
        try:
            self._stated(i)
        except ValueError as error:
            why = f"its imagePath {error}; {why}"
        raise DatasetError(f"{self.annotation_file(i)}: its image was not found: {why}; give a DIR that contains both")

    def _stated(self, i: int) -> Path | None:
        """The path that the file states, None if it states none. Raises `ValueError` if it leads out of `place`."""
        path, found = self._entries[i]
        written = found.image_path.replace("\\", "/") if isinstance(found, LabelmeFile) else ""
        if not written:
            return None
        folder = path.parent.relative_to(self.place).as_posix()
        absolute = written.startswith("/") or written[1:3] == ":/"
        return self.place / listed_names.inside(written if absolute else f"{folder}/{written}", self.place)

    def _found(self, i: int) -> Path | None:
        """The file of image i; None if there is none."""
        if i not in self._known:
            self._known[i] = self._look_for(i)
        return self._known[i]

    def _look_for(self, i: int) -> Path | None:
        path, found = self._entries[i]
        try:
            stated = self._stated(i)
        except ValueError:
            stated = None
        if stated is not None and stated.is_file():
            return stated
        name = _last(found.image_path) if isinstance(found, LabelmeFile) else ""
        within = path.parent.relative_to(self.place).parts
        folders = [path.parent]
        for child in self._image_folders:
            folders += [child, child.joinpath(*within), child.joinpath(*within[1:])]
        for folder in dict.fromkeys(folders):
            if name and (folder / name).is_file():
                return folder / name
        for folder in dict.fromkeys(folders):
            if files := self._by_stem(folder).get(composed(path.stem)):
                return files[0]
        return None

    @cached_property
    def _image_folders(self) -> list[Path]:
        children = sorted(child for child in self.place.iterdir() if child.is_dir())
        return [child for child in children if folder_word(child.name) in IMAGE_FOLDERS]

    def _by_stem(self, folder: Path) -> dict[str, list[Path]]:
        if folder not in self._images:
            found: dict[str, list[Path]] = {}
            for path in image_files(folder) if folder.is_dir() else ():
                found.setdefault(composed(path.stem), []).append(path)
            self._images[folder] = found
        return self._images[folder]


def _last(image_path: str) -> str:
    """The last part of a path from any system."""
    return image_path.replace("\\", "/").rpartition("/")[2]
