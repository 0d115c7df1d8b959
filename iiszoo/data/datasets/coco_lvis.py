"""COCO+LVIS, the training set of RITM and its successors: 99k images, 1.5M objects in layers (Sofiiuk et al. 2021).

`train/images/ID.jpg`, `train/hannotation.pickle`, `train/masks/ID.pickle`, and the same under `val/`: COCO's images,
and RITM's `cocolvis_annotation.tar.gz` unpacked over them. LVIS has some validation images from COCO's train2017.

`hannotation.pickle`: `{ID: {"num_instance_masks": n, "hierarchy": {object: None or {"parent": ..., ...}}}}`.
`masks/ID.pickle`: `(layers, mapping)`: PNG files as uint8 arrays, and for each object its (layer, value). The first n
objects are things, the others are COCO's stuff (RITM b9b4460, isegm/data/datasets/coco_lvis.py). Pixels of a value that
is not in the mapping are background, as in RITM's `DSample`. No pixel is ignored.

The pickles are read by `iiszoo.data.restricted_pickle`, which runs nothing that they name. Samples for evaluation:
every thing, id = `ID__LAYER.VALUE`, or `ID__VALUE` in layer 0.
"""

from __future__ import annotations

import operator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import listed_names, roots
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import MOST_BYTES, AnnotatedImages
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.seg_dataset import FullMasks


def load(card: DatasetCard, root: Path | None = None, *, stuff: bool = False) -> AllRegions:
    """The things of the training split, under `root`, and with `stuff` its stuff. Raises `DatasetError`."""
    return _load(card, root, "train", stuff)


def load_val(card: DatasetCard, root: Path | None = None, *, stuff: bool = False) -> AllRegions:
    """The things of the validation split, under `root`, and with `stuff` its stuff. Raises `DatasetError`."""
    return _load(card, root, "val", stuff)


def _load(card: DatasetCard, root: Path | None, split: str, stuff: bool) -> AllRegions:
    place = roots.find(card, root, *(f"{split}/{name}" for name in ("images", "masks", "hannotation.pickle")))
    return AllRegions(card.id, CocoLvis(place, split, stuff=stuff))


class CocoLvis(AnnotatedImages):
    """COCO+LVIS, for training and, without stuff, for `AllRegions`. `split`: `"train"` or `"val"`.

    Masks are of the layers' own integer type, `(H, W, L)`. `info["stuff"]` lists the objects that are stuff,
    `info["parents"]` maps an object to the one that it is part of. With `stuff=False` stuff is background, as in RITM
    when no stuff is drawn. Raises `DatasetError` if there is no `hannotation.pickle`.
    """

    def __init__(self, place: Path, split: str = "train", *, stuff: bool = True) -> None:
        super().__init__(place)
        self.stuff = stuff
        self.split_place = place / split
        self.objects_file = self.split_place / "hannotation.pickle"
        if not self.objects_file.is_file():
            raise DatasetError(f"{self.objects_file} is missing; RITM's cocolvis_annotation.tar.gz contains it")

    @cached_property
    def _entries(self) -> list[tuple[str, Any]]:
        """Image ids and their entries in `hannotation.pickle`, sorted by id."""
        from iiszoo.data.restricted_pickle import read_pickle

        found = read_pickle(self.objects_file)
        if not isinstance(found, dict):
            raise DatasetError(f"{self.objects_file}: must contain a dict of images, not a {type(found).__name__}")
        try:
            entries = [(listed_names.inside(str(id), self.split_place), entry) for id, entry in found.items()]
        except ValueError as error:
            raise DatasetError(f"{self.objects_file}: an image's id cannot be used: {error}") from error
        return sorted(entries, key=lambda item: item[0])

    def __len__(self) -> int:
        return len(self._entries)

    def image_id(self, i: int) -> str:
        return self._entries[i][0]

    def image_file(self, i: int) -> Path:
        """In the split's own folder, or else in the other's: LVIS validates on images of train2017 too."""
        name = f"{self.image_id(i)}.jpg"
        places = [self.place / split / "images" / name for split in (self.split_place.name, "train", "val")]
        return next((file for file in places if file.is_file()), places[0])

    def annotation_file(self, i: int) -> Path:
        return self.split_place / "masks" / f"{self.image_id(i)}.pickle"

    def regions(self, i: int) -> list[Region]:
        """The objects in the mapping; decodes no layer."""
        objects, n_things = self._read_layers(i)[1], self._n_things(i)
        return sorted(objects if self.stuff else objects[:n_things])

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        import numpy as np

        encoded, objects = self._read_layers(i)
        n_things = self._n_things(i)
        layers: list[NDArray[np.integer[Any]]] = []
        for layer in encoded:
            layers.append(_decode(layer, self.annotation_file(i)))
            if len(encoded) * layers[0].nbytes > MOST_BYTES:
                raise DatasetError(
                    f"{self.annotation_file(i)}: its {len(encoded)} layers of {layers[0].nbytes} bytes need more than "
                    f"{MOST_BYTES >> 30} GiB; scale the image down"
                )
        if len({layer.shape for layer in layers}) > 1:
            raise DatasetError(f"{self.annotation_file(i)}: its layers differ in size")
        masks = np.stack(layers, axis=2)
        shown = objects if self.stuff else objects[:n_things]
        for layer in range(masks.shape[2]):
            values = [region.value for region in shown if region.layer == layer]
            masks[:, :, layer][~np.isin(masks[:, :, layer], values)] = 0
        stuff = objects[n_things:] if self.stuff else []
        return masks, {"stuff": stuff, "parents": self._parents(i, objects)}

    def _read_layers(self, i: int) -> tuple[list[Any], list[Region]]:
        """The encoded layers, and the objects in the mapping's order."""
        from iiszoo.data.restricted_pickle import read_pickle

        path = self.annotation_file(i)
        found = read_pickle(path)
        try:
            encoded, mapping = found
            objects = [Region(operator.index(layer), operator.index(value)) for layer, value in mapping]
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{path}: must contain layers and each object's (layer, value) ({error})") from error
        if not encoded or not all(0 <= region.layer < len(encoded) and region.value > 0 for region in objects):
            raise DatasetError(f"{path}: its {len(objects)} objects do not all lie in its {len(encoded)} layers")
        return list(encoded), objects

    def _n_things(self, i: int) -> int:
        id, entry = self._entries[i]
        try:
            n_things = operator.index(entry["num_instance_masks"])
        except (KeyError, TypeError) as error:
            raise DatasetError(f"{self.objects_file}: image {id} has no num_instance_masks ({error!r})") from error
        if n_things < 0:
            raise DatasetError(f"{self.objects_file}: image {id} has num_instance_masks {n_things}, below 0")
        return n_things

    def _parents(self, i: int, objects: list[Region]) -> dict[Region, Region]:
        id, entry = self._entries[i]
        try:
            hierarchy = {k: node["parent"] for k, node in entry["hierarchy"].items() if node is not None}
            pairs = {k: parent for k, parent in hierarchy.items() if parent is not None}
            if min([*pairs, *pairs.values()], default=0) < 0:
                raise IndexError("an object below 0")
            return {objects[k]: objects[parent] for k, parent in pairs.items()}
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise DatasetError(f"{self.objects_file}: the hierarchy of image {id} is malformed ({error!r})") from error


def _decode(encoded: Any, path: Path) -> NDArray[np.integer[Any]]:
    import cv2
    import numpy as np

    try:
        layer = cv2.imdecode(np.asarray(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, TypeError, ValueError):
        layer = None
    if layer is None or layer.ndim != 2:
        raise DatasetError(f"{path}: a layer of masks cannot be decoded as a grey picture")
    return np.asarray(layer)
