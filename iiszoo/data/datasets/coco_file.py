"""`coco:FILE.json`: any file of instances in COCO's format, with its images (Lin et al. 2014, arXiv 1405.0312).

FILE.json holds `images` (`id`, `file_name` or `coco_url`, `height`, `width`), `annotations` (`id`, `image_id`,
`segmentation`, `category_id`, `iscrowd`) and `categories` (`id`, `name`). A segmentation is a list of polygons, run
lengths `{"size": [H, W], "counts": [...]}`, or the same compressed to a string; they are drawn by pycocotools.

An image lies, by its file name, in the first of these that has it: the JSON file's directory, `images/` there, a folder
there with the JSON file's stem (`mine/` of `mine.json`) or with what follows the stem's last underscore (`val2017/` of
`instances_val2017.json`); and then the same from the directory above, as COCO itself is laid out. With `--root DIR` the
same is looked for from DIR alone. A relative FILE.json counts from the working directory, or else from DIR.

Each annotation is one object and keeps all its pixels: of objects that overlap the later one goes to another layer.
Crowds (`iscrowd`) are no objects: what they cover is ignored, but for the pixels of the object itself. An annotation
without outline is a sample with an empty target, which is reported. Images without annotations have no samples.
Sample id = the file name without suffix, then `__N`, or `__LAYER.N` above layer 0, for the Nth annotation of the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks

_MOST_PIXELS = 2**30
"""Larger images are refused: a mask of them would not fit into the memory of most machines."""
_FARTHEST = 1e5
"""Polygons with points beyond this many pixels are refused: pycocotools walks along every edge."""


def load(card: DatasetCard, root: Path | None = None, argument: str = "") -> AllRegions:
    """The objects of the file `argument`, with images from `root` where it is given. Raises `DatasetError`."""
    named = Path(argument).expanduser()
    file = next((file for file in (named, (root or Path()) / named) if file.is_file()), None)
    if file is None:
        raise DatasetError(f"dataset coco:{argument}: there is no file {named.resolve()}")
    return AllRegions(f"coco:{argument}", CocoFile(file, root))


class CocoFile(AnnotatedImages):
    """The images of a COCO file, for training and for `AllRegions`. `images`: the directory to look for them from.

    Masks are int32 `(H, W, L)`: the Nth annotation of the image has value N, crowds are -1. `info["classes"]` has the
    categories' names, `info["annotation_ids"]` the annotations' ids by (layer, value).
    """

    def __init__(self, file: Path, images: Path | None = None) -> None:
        super().__init__(file.parent)
        self.file = file
        bases = [file.parent, file.absolute().parent.parent] if images is None else [images]
        folders = ("", "images", file.stem, file.stem.rpartition("_")[2])
        self.image_places = list(dict.fromkeys(base / folder for base in bases for folder in folders))

    @cached_property
    def _tables(self) -> tuple[list[dict[str, Any]], dict[Any, list[dict[str, Any]]], dict[Any, str]]:
        """The images, the annotations by image id, the names by category id."""
        found = file_checks.json_in(self.file)
        try:
            images = [{**image, "name": _file_name(image)} for image in found["images"]]
            annotations: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in images}
            for annotation in found["annotations"]:
                annotations[annotation["image_id"]].append(annotation)
            names = {category["id"]: str(category["name"]) for category in found.get("categories", ())}
        except (AttributeError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{self.file}: is no file of instances in COCO's format: images with id and file_name, annotations "
                f"with image_id of one of them, categories with id and name ({error!r})"
            ) from error
        return images, annotations, names

    def __len__(self) -> int:
        return len(self._tables[0])

    def image_id(self, i: int) -> str:
        """The file name without suffix; with it where another image's differs in that alone."""
        name = Path(self._tables[0][i]["name"])
        return str(name if self._stems[name.with_suffix("")] > 1 else name.with_suffix(""))

    @cached_property
    def _stems(self) -> Counter[Path]:
        return Counter(Path(image["name"]).with_suffix("") for image in self._tables[0])

    def image_file(self, i: int) -> Path:
        """Where the image lies, or else would be looked for first."""
        name: str = self._tables[0][i]["name"]
        return next((place / name for place in self.image_places if (place / name).is_file()), self.file.parent / name)

    def annotation_file(self, i: int) -> Path:
        return self.file

    def regions(self, i: int) -> list[Region]:
        """As annotated, without drawing a pixel."""
        return sorted(region for region, _, _ in self._objects(i)[0])

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        import numpy as np
        from pycocotools import mask as rle

        objects, crowds = self._objects(i)
        n_layers = 1 + max((region.layer for region, _, _ in objects), default=0)
        masks = np.zeros((*self._size(i), n_layers), np.int32)
        for crowd in crowds:
            masks[rle.decode(crowd) > 0] = -1
        for region, outline, _ in objects:
            masks[:, :, region.layer][rle.decode(outline) > 0] = region.value
        names = self._tables[2]
        return masks, {
            "classes": {
                region: names[annotation["category_id"]]
                for region, _, annotation in objects
                if annotation.get("category_id") in names
            },
            "annotation_ids": {region: annotation.get("id") for region, _, annotation in objects},
        }

    def _objects(self, i: int) -> tuple[list[tuple[Region, Any, dict[str, Any]]], list[Any]]:
        """(region, run lengths, annotation) of each object, and the run lengths of the crowds."""
        size = self._size(i)
        annotations = self._tables[1][self._tables[0][i]["id"]]
        outlines = [self._outline(annotation, size) for annotation in annotations]
        wanted = [k for k, annotation in enumerate(annotations) if not annotation.get("iscrowd")]
        layers = _layers([outlines[k] for k in wanted])
        objects = [(Region(layer, k + 1), outlines[k], annotations[k]) for layer, k in zip(layers, wanted, strict=True)]
        return objects, [outlines[k] for k, annotation in enumerate(annotations) if annotation.get("iscrowd")]

    def _size(self, i: int) -> tuple[int, int]:
        """(rows, columns), as the file has it or else the image's header."""
        return self.mask_size(i) or file_checks.picture_size(self.image_file(i))

    def mask_size(self, i: int) -> tuple[int, int] | None:
        image = self._tables[0][i]
        rows, columns = image.get("height"), image.get("width")
        if rows is None or columns is None:
            return None
        if not (isinstance(rows, int) and isinstance(columns, int) and rows > 0 and columns > 0):
            raise DatasetError(f"{self.file}: image {image['id']} has height {rows!r} and width {columns!r}")
        if rows * columns > _MOST_PIXELS:
            raise DatasetError(
                f"{self.file}: image {image['id']} of {rows}x{columns} pixels is too large to be drawn on"
            )
        return rows, columns

    def _outline(self, annotation: dict[str, Any], size: tuple[int, int]) -> Any:
        """The annotation's compressed run lengths. Raises `DatasetError` naming it."""
        try:
            return _run_lengths(annotation.get("segmentation"), size)
        except Exception as error:  # pycocotools raises nearly anything for what is malformed
            raise DatasetError(
                f"{self.file}: annotation {annotation.get('id')} of image {annotation['image_id']} has a segmentation "
                f"that cannot be drawn on {size[0]}x{size[1]} pixels (rows x columns): {error}"
            ) from error


def _file_name(image: dict[str, Any]) -> str:
    """COCO's files say `file_name`; LVIS's have only the url, ending in `SPLIT/NAME`."""
    return str(image.get("file_name") or "/".join(image["coco_url"].split("/")[-2:]))


def _run_lengths(segmentation: Any, size: tuple[int, int]) -> Any:
    """Compressed run lengths of a segmentation of any of the three kinds; of none at all they are empty.

    Raises ValueError and others where it does not fit `size`.
    """
    from pycocotools import mask as rle

    rows, columns = size
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [rows, columns]:
            raise ValueError(f"its size is {segmentation['size']}")
        counts = segmentation["counts"]
        if isinstance(counts, list):
            if min(counts, default=0) < 0 or sum(counts) != rows * columns:
                raise ValueError(f"its run lengths add up to {sum(counts)} pixels")
            return rle.frPyObjects(segmentation, rows, columns)
        compressed = {"size": [rows, columns], "counts": counts.encode() if isinstance(counts, str) else counts}
        rle.decode(compressed)  # raises where the lengths exceed the size; other functions would read past the end
        return compressed
    polygons = [polygon for polygon in segmentation or () if len(polygon) >= 6]  # fewer than three points: no area
    if not polygons:
        return rle.frPyObjects({"size": [rows, columns], "counts": [rows * columns]}, rows, columns)
    if not all(abs(value) <= _FARTHEST for polygon in polygons for value in polygon):
        raise ValueError("a polygon has points far away from the image")
    return rle.merge(rle.frPyObjects(polygons, rows, columns))


def _layers(outlines: Sequence[Any]) -> list[int]:
    """For each outline the first layer in which no earlier one overlaps it."""
    from pycocotools import mask as rle

    overlap = rle.iou(outlines, outlines, [0] * len(outlines)) > 0 if outlines else ()
    layers: list[int] = []
    for k in range(len(outlines)):
        taken = {layers[j] for j in range(k) if overlap[k][j]}
        layers.append(next(layer for layer in range(k + 1) if layer not in taken))
    return layers
