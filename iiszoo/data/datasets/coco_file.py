"""`coco:FILE.json`: any instances file in COCO's format, with its images (Lin et al. 2014, arXiv 1405.0312).

FILE.json contains `images` (`id`, `file_name` or `coco_url`, `height`, `width`), `annotations` (`id`, `image_id`,
`segmentation`, `category_id`, `iscrowd`) and `categories` (`id`, `name`); `iiszoo.data.coco_tables` and
`iiszoo.data.outlines` describe the variants that are read. Masks are drawn by pycocotools.

An image is looked for, by its file name, in these directories in turn: the JSON file's directory; `images`, `data`,
`JPEGImages` or `img` there; a folder there, or in its `images`, named like the JSON file (`mine/` of `mine.json`) or
like what follows an underscore in its stem (`val2017/` of `instances_val2017.json`, `images/Train/` of
`instances_Train.json`); then the same from the directory above, as in COCO's own layout. With `--root DIR`, only from
DIR. A relative FILE.json is relative to the working directory, or else to DIR.

Each annotation is one object and keeps all its pixels. Crowds (`iscrowd`) are not objects: what they cover is ignored,
except the pixels of the object itself. An annotation without an outline (such as a box alone) is a sample with an empty
target, which is reported. Annotations of unlisted images are left out, and counted in a warning. Images without
annotations have no samples. Sample id = the file name without suffix, then `__N` for the Nth annotation of the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from iiszoo import own_files
from iiszoo.cards import DatasetCard
from iiszoo.data import coco_tables, file_checks, outlines
from iiszoo.data.coco_tables import Annotation, CocoImage
from iiszoo.data.outlined_images import OutlinedImages, OutlinedObjects
from iiszoo.data.outlines import RunLengths
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import DatasetError
from iiszoo.file_names import escaped

_FOLDERS = ("", "images", "data", "JPEGImages", "img")


def load(card: DatasetCard, root: Path | None = None, argument: str = "") -> CocoObjects:
    """The objects of the file `argument`, with images from `root` if it is given. Raises `DatasetError`."""
    named = Path(argument).expanduser()
    file = next((file for file in (named, (root or Path()) / named) if file.is_file()), None)
    if file is None:
        other = f"; it is a directory; {own_files.meant_by(escaped(argument, '?'))}" if named.is_dir() else ""
        raise DatasetError(f"dataset coco:{argument}: there is no file {named.resolve()}{other}")
    return CocoObjects(f"coco:{argument}", CocoFile(file, root))


class CocoFile(OutlinedImages):
    """The images of a COCO file, for training and for `CocoObjects`. `images`: the directory from which images are
    looked for.

    The Nth annotation of an image has value N in its full masks, crowds are -1. `info["classes"]` has the categories'
    names, `info["annotation_ids"]` the annotations' ids by (layer, value).
    """

    def __init__(self, file: Path, images: Path | None = None) -> None:
        super().__init__(file.parent)
        self.file = file
        self.folder = file.parent if images is None else images
        bases = [file.parent, file.absolute().parent.parent] if images is None else [images]
        _, _, after_first = file.stem.partition("_")
        _, _, after_last = file.stem.rpartition("_")
        splits = [name for name in dict.fromkeys((file.stem, after_last, after_first)) if name]
        folders = [*_FOLDERS, *splits, *(f"images/{name}" for name in splits)]
        self.image_places = list(dict.fromkeys(base / folder for base in bases for folder in folders))
        self._sizes: dict[int, tuple[int, int]] = {}
        self._found: dict[int, Path] = {}

    @cached_property
    def images(self) -> list[CocoImage]:
        """In the file's order. Raises `DatasetError`."""
        return coco_tables.read(self.file, self.folder)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def _ids(self) -> list[str]:
        names = [PurePosixPath(image.name) for image in self.images]
        stems = Counter(name.with_suffix("") for name in names)
        return [str(name if stems[name.with_suffix("")] > 1 else name.with_suffix("")) for name in names]

    def image_id(self, i: int) -> str:
        """The file name without suffix; with it if another image's name differs only in the suffix."""
        return self._ids[i]

    def image_file(self, i: int) -> Path:
        """The image's file; if there is none, the first path looked for."""
        if i in self._found:
            return self._found[i]
        image = self.images[i]
        names = [image.name]
        if "\\" in image.spelled:
            names.append(image.spelled)  # some Windows archives unpack to files with a backslash in the name
        places = [place / name for name in names for place in self.image_places]
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            return places[0]
        self._found[i] = found
        return found

    def annotation_file(self, i: int) -> Path:
        return self.file

    def objects(self, i: int) -> list[int]:
        return [k for k, annotation in enumerate(self.images[i].annotations) if not annotation.crowd]

    def info_of(self, i: int, regions: Sequence[Region]) -> dict[str, Any]:
        annotations = {region: self.images[i].annotations[region.value - 1] for region in regions}
        return {
            "classes": {region: each.category for region, each in annotations.items() if each.category is not None},
            "annotation_ids": {region: each.id for region, each in annotations.items()},
        }

    def why_empty(self, i: int, k: int) -> str:
        annotation = self.images[i].annotations[k]
        why = "covers no pixel of the image" if annotation.segmentation else "has no outline"
        return f"{annotation.label} of image {self.images[i].id} {why}"

    def outline(self, i: int, k: int) -> RunLengths:
        """The mask of image i's annotation k, from 0. Raises `DatasetError` naming the annotation."""
        image, annotation = self.images[i], self.images[i].annotations[k]
        if annotation.fault:
            raise DatasetError(f"{self.file}: {annotation.label} of image {image.id} {annotation.fault}")
        label = f"{self.file}: {annotation.label} of image {image.id}"
        return coco_tables.outline(label, annotation.segmentation, self.size(i))

    def why_none(self) -> str:
        n_annotations = sum(len(image.annotations) for image in self.images)
        if not n_annotations:
            return ""
        return (
            f"{self.file}: its {n_annotations} annotations are all crowds (iscrowd 1), which are ignored; "
            "if they are single objects, as in CVAT's exports of masks, set their iscrowd to 0"
        )

    def ignored(self, i: int) -> RunLengths | None:
        """The area that the crowds of image i cover."""
        annotations = self.images[i].annotations
        found = [self.outline(i, k) for k, annotation in enumerate(annotations) if annotation.crowd]
        return outlines.united(found, self.size(i)) if found else None

    def size(self, i: int) -> tuple[int, int]:
        """(rows, columns), from the file or else from the image's header. Raises `DatasetError`."""
        if i not in self._sizes:
            size = self.mask_size(i)
            if size is None:
                size = file_checks.picture_size(self.image_file(i))
                coco_tables.check_drawable(f"{self.image_file(i)}: the image", size)
            self._sizes[i] = size
        return self._sizes[i]

    def mask_size(self, i: int) -> tuple[int, int] | None:
        return coco_tables.checked_size(self.file, self.images[i])


class CocoObjects(OutlinedObjects[CocoFile]):
    """Each object of a COCO file as one sample. `place` is the JSON file itself, by which the dataset is found."""

    def __init__(self, name: str, source: CocoFile) -> None:
        super().__init__(name, source)
        self.place = source.file

    def annotation(self, i: int) -> Annotation:
        """Sample i's annotation in the file."""
        image, k = self._samples[i]
        assert k is not None  # every annotation of the file is read at once
        return self.source.images[image].annotations[k]

    def image(self, i: int) -> CocoImage:
        """Sample i's image in the file."""
        return self.source.images[self._samples[i][0]]
