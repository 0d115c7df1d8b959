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

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from iiszoo import own_files
from iiszoo.cards import DatasetCard
from iiszoo.data import coco_tables, file_checks, outlines
from iiszoo.data.annotated_images import MOST_BYTES, AnnotatedImages
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.data.coco_tables import Annotation, CocoImage
from iiszoo.data.inspection import UNSEEN, SeenTarget, inspect
from iiszoo.data.outlines import RunLengths
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import DatasetError
from iiszoo.file_names import escaped

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks

_FOLDERS = ("", "images", "data", "JPEGImages", "img")
_MOST_LAYERS = 256
_BLOCK = 256
"""How many masks are compared with the others at once."""


def load(card: DatasetCard, root: Path | None = None, argument: str = "") -> CocoObjects:
    """The objects of the file `argument`, with images from `root` if it is given. Raises `DatasetError`."""
    named = Path(argument).expanduser()
    file = next((file for file in (named, (root or Path()) / named) if file.is_file()), None)
    if file is None:
        other = f"; it is a directory; {own_files.meant_by(escaped(argument, '?'))}" if named.is_dir() else ""
        raise DatasetError(f"dataset coco:{argument}: there is no file {named.resolve()}{other}")
    return CocoObjects(f"coco:{argument}", CocoFile(file, root))


class CocoFile(AnnotatedImages):
    """The images of a COCO file, for training and for `CocoObjects`. `images`: the directory from which images are
    looked for.

    Masks are int32 `(H, W, L)`: the Nth annotation of the image has value N, crowds are -1; of overlapping objects the
    later one goes to another layer. `info["classes"]` has the categories' names, `info["annotation_ids"]` the
    annotations' ids by (layer, value).
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

    def regions(self, i: int) -> list[Region]:
        """From the annotations; draws nothing."""
        return sorted(region for region, _, _ in self._objects(i))

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        """Raises `DatasetError` also if the masks of one image need more than 256 layers or 4 GiB."""
        import numpy as np

        rows, columns = self.size(i)
        objects = self._objects(i)
        n_layers = 1 + max((region.layer for region, _, _ in objects), default=0)
        layers = np.zeros((n_layers, rows, columns), np.int32)
        layers[:, outlines.drawn(self.crowds(i))] = -1
        for region, outline, _ in objects:
            layers[region.layer][outlines.drawn(outline)] = region.value
        return layers.transpose(1, 2, 0), {
            "classes": {
                region: annotation.category for region, _, annotation in objects if annotation.category is not None
            },
            "annotation_ids": {region: annotation.id for region, _, annotation in objects},
        }

    def _objects(self, i: int) -> list[tuple[Region, RunLengths, Annotation]]:
        wanted = [k for k, annotation in enumerate(self.images[i].annotations) if not annotation.crowd]
        rows, columns = self.size(i)
        found = [self.outline(i, k) for k in wanted]
        most = max(1, min(_MOST_LAYERS, MOST_BYTES // (4 * rows * columns)))
        layers = _layers(found, most)
        if max(layers, default=0) >= most:
            raise DatasetError(
                f"{self.file}: the objects of image {self.images[i].id} overlap so much that their full masks need "
                f"more than {most} layers of {rows}x{columns} pixels (rows x columns), but at most {_MOST_LAYERS} and "
                f"{MOST_BYTES >> 30} GiB are drawn; scale the image down, or read its objects one by one, as "
                "`coco:FILE.json` does"
            )
        return [
            (Region(layer, k + 1), outline, self.images[i].annotations[k])
            for layer, k, outline in zip(layers, wanted, found, strict=True)
        ]

    def outline(self, i: int, k: int) -> RunLengths:
        """The mask of image i's annotation k, from 0. Raises `DatasetError` naming the annotation."""
        image, annotation = self.images[i], self.images[i].annotations[k]
        if annotation.fault:
            raise DatasetError(f"{self.file}: {annotation.label} of image {image.id} {annotation.fault}")
        label = f"{self.file}: {annotation.label} of image {image.id}"
        return coco_tables.outline(label, annotation.segmentation, self.size(i))

    def crowds(self, i: int) -> RunLengths:
        """The area that the crowds of image i cover. Raises `DatasetError` naming an annotation."""
        annotations = self.images[i].annotations
        found = [self.outline(i, k) for k, annotation in enumerate(annotations) if annotation.crowd]
        return outlines.united(found, self.size(i))

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


class CocoObjects(EvaluationDataset):
    """Each object of a COCO file as one sample. Masks are drawn one at a time, on demand.

    `place` is the JSON file itself, by which the dataset is found.
    """

    def __init__(self, name: str, source: CocoFile) -> None:
        self.name = name
        self.place = source.file
        self.source = source
        self._crowds: tuple[int, RunLengths] | None = None

    @cached_property
    def _samples(self) -> list[tuple[int, int]]:
        """(image, annotation) of each, from 0."""
        images = self.source.images
        every = [(i, k) for i, image in enumerate(images) for k in range(len(image.annotations))]
        samples = [(i, k) for i, k in every if not images[i].annotations[k].crowd]
        if every and not samples:
            raise DatasetError(
                f"{self.source.file}: its {len(every)} annotations are all crowds (iscrowd 1), which are ignored; "
                "if they are single objects, as in CVAT's exports of masks, set their iscrowd to 0"
            )
        return samples

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> Sample:
        image, k = self._samples[i]
        id, files = self.source.image_id(image), self.source.files_of(image)
        return Sample(
            f"{id}__{k + 1}",
            id,
            files,
            partial(self.source.read_image, image),
            partial(self._target, image, k),
            image_file=Path(files[0]),
            look_at_target=partial(self._look_at, image, k),
        )

    def annotation(self, i: int) -> Annotation:
        """Sample i's annotation in the file."""
        image, k = self._samples[i]
        return self.source.images[image].annotations[k]

    def image(self, i: int) -> CocoImage:
        """Sample i's image in the file."""
        return self.source.images[self._samples[i][0]]

    def _target(self, image: int, k: int) -> Target:
        object = outlines.drawn(self.source.outline(image, k))
        crowds = self._crowds_of(image)
        if crowds is None:
            return Target(object, None)
        ignore = outlines.drawn(crowds)
        ignore &= ~object
        return Target(object, ignore if ignore.any() else None)

    def _look_at(self, image: int, k: int) -> SeenTarget:
        """From run lengths instead of pixels; they differ if a single pixel does."""
        from pycocotools import mask as rle

        size, outline, crowds = self.source.size(image), self.source.outline(image, k), self._crowds_of(image)
        content = hashlib.sha256(f"run lengths {size}\n".encode() + outline["counts"])
        if crowds is not None:
            covered = outlines.united([outline, crowds], size)["counts"]
            content.update(b"" if covered == outline["counts"] else b"\nwith ignored " + covered)
        fault = ""
        if not rle.area(outline):
            annotation = self.source.images[image].annotations[k]
            why = "covers no pixel of the image" if annotation.segmentation else "has no outline"
            fault = (
                f"the target is empty; there is nothing to click on: {annotation.label} of image "
                f"{self.source.images[image].id} {why}"
            )
        return SeenTarget(size, content.hexdigest(), fault)

    def stamp(self) -> str:
        return self.source.stamp()

    def check_files(self) -> Iterator[str]:
        """The faults of files, then one sentence for each annotation that cannot be a target."""
        yield from self.source.check_files()
        for i, (image, _) in enumerate(self._samples):
            try:
                self.source.size(image)
            except DatasetError:
                continue  # reported for the image
            fault = inspect(self.sample(i), UNSEEN).fault
            if fault is not None:
                yield fault

    def _crowds_of(self, image: int) -> RunLengths | None:
        """None if there are none."""
        if not any(annotation.crowd for annotation in self.source.images[image].annotations):
            return None
        known = self._crowds
        if known is None or known[0] != image:
            known = self._crowds = image, self.source.crowds(image)
        return known[1]


def _layers(masks: Sequence[RunLengths], most: int) -> list[int]:
    """For each mask the first layer in which no earlier one overlaps it. Stops early if one needs layer `most`."""
    import numpy as np
    from pycocotools import mask as rle

    layers = np.zeros(len(masks), int)
    for first in range(0, len(masks), _BLOCK):
        block = list(masks[first : first + _BLOCK])
        overlap = rle.iou(block, list(masks[: first + len(block)]), [0] * (first + len(block))) > 0
        for row in range(len(block)):
            k = first + row
            taken = np.unique(layers[:k][overlap[row, :k]])
            free = np.flatnonzero(taken != np.arange(len(taken)))
            layers[k] = free[0] if free.size else len(taken)
            if layers[k] >= most:
                return [int(layer) for layer in layers]
    return [int(layer) for layer in layers]
