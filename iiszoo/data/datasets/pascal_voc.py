"""PASCAL VOC 2012: the objects of its segmentation challenge's validation images (Everingham et al.).

`JPEGImages/NAME.jpg`, `SegmentationObject/NAME.png` (a palette file: 0 background, 1, 2, ... the objects, 255 the band
around them), `SegmentationClass/NAME.png` (the same with classes) and `ImageSets/Segmentation/val.txt`, the names: the
contents of `VOCdevkit/VOC2012` in the archive.

A mask is read as a grey picture, as by `cv2.cvtColor(..., COLOR_BGR2GRAY)`: the band's colour becomes 220 and is
ignored, 0 is background, and every other grey is one object (RITM b9b4460, isegm/data/datasets/pascalvoc.py; ClickSEG
d61a76b lists its samples in the same way). Some colours of the palette have the same grey: 1 and 16, 3 and 18, 6 and
21, 9 and 24. In an image with that many objects, two are one sample. A mask saved as grey counts by its values, and 255
is ignored too. Sample id = `NAME__GREY`. RITM's list of samples (`test.pickle`) is not published and could not be
compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, roots
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.seg_dataset import regions_in
from iiszoo.data.voc_classes import VOC_CLASSES
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks

BAND = (220, 255)
"""The greys of the band around objects: index 255 in VOC's palette, and 255 in a grey file."""


def load(card: DatasetCard, root: Path | None = None) -> AllRegions:
    """Every object of the validation split, under `root`. Raises `DatasetError`."""
    place = roots.find(card, root, "JPEGImages", "SegmentationObject", "ImageSets/Segmentation/val.txt")
    return AllRegions(card.id, PascalVOC(place, "val"))


class PascalVOC(AnnotatedImages):
    """VOC's objects, for training and for `AllRegions`. `split`: `"train"`, `"val"` or `"trainval"`.

    Masks are int16 `(H, W, 1)`: greys, and -1 for the ignored band. `info["classes"]` is there if
    `SegmentationClass/NAME.png` is: the class of most of an object's pixels.

    Raises `DatasetError` if the list of names cannot be read.
    """

    def __init__(self, place: Path, split: str = "train") -> None:
        super().__init__(place)
        self.names = file_checks.names_in(place / "ImageSets" / "Segmentation" / f"{split}.txt")

    def __len__(self) -> int:
        return len(self.names)

    def image_id(self, i: int) -> str:
        return self.names[i]

    def image_file(self, i: int) -> Path:
        return self.place / "JPEGImages" / f"{self.names[i]}.jpg"

    def annotation_file(self, i: int) -> Path:
        return self.place / "SegmentationObject" / f"{self.names[i]}.png"

    def read_masks(self, i: int) -> FullMasks:
        import cv2
        import numpy as np

        from iiszoo.data.read import read_image

        grey = cv2.cvtColor(read_image(self.annotation_file(i)), cv2.COLOR_RGB2GRAY)
        return np.where(np.isin(grey, BAND), -1, grey.astype(np.int16))[:, :, None]

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        masks = self.read_masks(i)
        path = self.place / "SegmentationClass" / f"{self.names[i]}.png"
        return masks, {"classes": _classes(path, masks)} if path.exists() else {}

    def mask_size(self, i: int) -> tuple[int, int]:
        return file_checks.picture_size(self.annotation_file(i))


def _classes(path: Path, masks: FullMasks) -> dict[tuple[int, int], str]:
    import numpy as np

    from iiszoo.data.read import read_mask

    numbers = read_mask(path)
    if numbers.shape != masks.shape[:2]:
        raise DatasetError(f"{path}: must contain class numbers (H, W) of its image's size, not {numbers.shape}")
    classes: dict[tuple[int, int], str] = {}
    for region in regions_in(masks):
        number = int(np.bincount(numbers[masks[:, :, region.layer] == region.value].ravel()).argmax())
        if number in VOC_CLASSES:
            classes[region] = VOC_CLASSES[number]
    return classes
