"""TETRIS: 2,531 objects on 2,000 large photographs (Moskalenko et al. 2024), as RClicks (Antonov et al. 2024) reads it.

`images/NAME.*` and `masks/NAME.png`, paired by stem. In a mask black is background, and every other colour one object,
whose number is 65536 blue + 256 green + red. Image and mask are scaled down so that the longer side has at most 2048
pixels, on which the clicks of RClicks were made: both bilinearly, each object for itself, of objects that then overlap
the one with the larger number above (emb-ai/rclicks e20bf76, isegm/data/datasets/tetris.py). As there, a mask takes the
image's size, whatever its own. No pixel is ignored.

Sample id = `NAME` if the scaled mask has one object, else `NAME__NUMBER`, as `iiszoo.clicking.click_table` names the
samples of RClicks' `datasets/clicks.csv`. That repository's lists `datasets/TETRIS_train.txt` and `TETRIS_val.txt` part
the images for models of clicks; segmentation is evaluated on all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, roots
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.pairing import pair_by_stem
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks, Image

LONGEST = 2048
"""The longer side of a scaled image."""


def load(card: DatasetCard, root: Path | None = None) -> AllRegions:
    """Every object, under `root`. Raises `DatasetError`."""
    return AllRegions(card.id, TETRIS(roots.find(card, root, "images", "masks")), number_one=False)


class TETRIS(AnnotatedImages):
    """Masks are int32 `(H, W, 1)`, objects' numbers."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.pairs = pair_by_stem(place / "images", place / "masks")

    def __len__(self) -> int:
        return len(self.pairs)

    def image_id(self, i: int) -> str:
        return self.pairs[i].id

    def image_file(self, i: int) -> Path:
        return self.pairs[i].image

    def annotation_file(self, i: int) -> Path:
        return self.pairs[i].mask

    def read_image(self, i: int) -> Image:
        import cv2
        import numpy as np

        image = self.pairs[i].read_image()
        rows, columns = limited(*image.shape[:2])
        return np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR), np.uint8)

    def read_masks(self, i: int) -> FullMasks:
        import cv2
        import numpy as np

        from iiszoo.data.read import read_image

        if fault := self.annotation_fault(i):
            raise DatasetError(fault)
        rows, columns = limited(*self.image_size(i))
        pixels = cv2.cvtColor(read_image(self.annotation_file(i)), cv2.COLOR_RGB2RGBA)
        numbers = pixels.view("<i4")[:, :, 0] & 0xFFFFFF  # red is the lowest byte, alpha the highest
        scaled = np.zeros((rows, columns, 1), np.int32)
        flat = numbers.ravel()
        begun = flat[1:][flat[1:] != flat[:-1]]  # by every run of equal pixels: few, while sorting all takes long
        for number in np.unique(np.append(begun, flat[0])).tolist():
            if number == 0:
                continue
            object = (numbers == number).astype(np.uint8)
            scaled[cv2.resize(object, (columns, rows), interpolation=cv2.INTER_LINEAR) > 0] = number
        return scaled

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        return self.read_masks(i), {}

    def image_size(self, i: int) -> tuple[int, int]:
        """(rows, columns) of the file's picture."""
        if fault := self.pairs[i].image_fault:
            raise DatasetError(fault)
        return super().image_size(i)

    def mask_size(self, i: int) -> None:
        """None: a mask takes its image's size. Raises `DatasetError` if the file is not a picture."""
        file_checks.picture_size(self.annotation_file(i))

    def annotation_fault(self, i: int) -> str | None:
        return self.pairs[i].mask_fault or super().annotation_fault(i)


def limited(rows: int, columns: int) -> tuple[int, int]:
    """The size of a picture whose longer side has at most `LONGEST` pixels, rounded as upstream."""
    if rows > columns:
        height = min(rows, LONGEST)
        return height, max(int(columns / rows * height + 0.5), 1)
    width = min(columns, LONGEST)
    return max(int(rows / columns * width + 0.5), 1), width
