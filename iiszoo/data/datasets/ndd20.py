"""NDD20: dolphins above and below water, outlined by hand (Trotter et al. 2020, arXiv 2005.13359).

`ABOVE/*.jpg`, `BELOW/*.jpg` (2201 images each) and `ABOVE_LABELS.json`, `BELOW_LABELS.json`: exports of the VGG Image
Annotator, `{KEY: {"filename": ..., "regions": [{"shape_attributes": {"name": "polyline", "all_points_x": [...],
"all_points_y": [...]}, ...}, ...]}}`.

The target is the union of *all* outlines of an image, each closed and filled, border included (`cv2.fillPoly`); a
public loader keeps only the last outline. No pixel is ignored. The authors define no split: of the images sorted by
file name, the first 80 %, rounded down, are for training, the rest for evaluation, as in that loader. Sample id = the
file's stem, then `__1`.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, listed_names, outlines, roots
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import BadOption, DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks

TRAIN_SHARE = 0.8


def load(card: DatasetCard, root: Path | None = None) -> AllRegions:
    """The images of the card's waters and split, `ndd20-WATERS` or `ndd20-WATERS-train`. Raises `DatasetError`."""
    _, waters, *split = card.id.split("-")
    place = roots.find(card, root, waters.upper(), f"{waters.upper()}_LABELS.json")
    return AllRegions(card.id, NDD20(place, waters, split[0] if split else "val"))


class NDD20(AnnotatedImages):
    """NDD20's images, for training and for `AllRegions`. `waters` is `"above"` or `"below"`, `split` `"train"` or
    `"val"`.

    Masks are uint8 `(H, W, 1)`: 1 where any dolphin is. Raises `DatasetError` if there is no list of labels,
    `BadOption` for other waters or another split.
    """

    def __init__(self, place: Path, waters: str = "below", split: str = "train") -> None:
        super().__init__(place)
        if waters not in ("above", "below") or split not in ("train", "val"):
            raise BadOption(f"NDD20 has waters above and below, and splits train and val, not {waters!r}, {split!r}")
        self.labels = place / f"{waters.upper()}_LABELS.json"
        self.images = place / waters.upper()
        self.split = split
        if not self.labels.is_file():
            raise DatasetError(f"{self.labels} is missing; NDD20.zip has it beside {waters.upper()}/")

    @cached_property
    def _outlines(self) -> list[tuple[str, list[Any]]]:
        """File name and shapes of each image of the split, sorted by name."""
        found = file_checks.json_in(self.labels)
        try:
            entries = [
                (
                    listed_names.inside(entry["filename"], self.images),
                    [region["shape_attributes"] for region in entry["regions"]],
                )
                for entry in found.values()
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{self.labels}: is not an export of the VGG Image Annotator ({error!r})") from error
        entries.sort(key=lambda entry: entry[0])
        n_train = int(len(entries) * TRAIN_SHARE)
        return entries[:n_train] if self.split == "train" else entries[n_train:]

    def __len__(self) -> int:
        return len(self._outlines)

    def image_id(self, i: int) -> str:
        return Path(self._outlines[i][0]).stem

    def image_file(self, i: int) -> Path:
        return self.images / self._outlines[i][0]

    def annotation_file(self, i: int) -> Path:
        return self.labels

    def regions(self, i: int) -> list[Region]:
        return [Region(0, 1)] if self._outlines[i][1] else []

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        import cv2
        import numpy as np

        mask = np.zeros(file_checks.picture_size(self.image_file(i)), np.uint8)
        for shape in self._outlines[i][1]:
            try:
                outline = np.stack([shape["all_points_x"], shape["all_points_y"]], axis=1)
                if not (np.abs(outline) <= outlines.FARTHEST).all():  # nor NaN
                    raise ValueError(f"points that are not numbers up to {outlines.FARTHEST:g}")
                points = outline.round().astype(np.int32)
                cv2.fillPoly(mask, [points], 1)  # one by one: drawn together, overlaps become holes
            except Exception as error:  # whatever a malformed shape leads to
                raise DatasetError(
                    f"{self.labels}: an outline of {self._outlines[i][0]} is not a polyline with as many all_points_x "
                    f"as all_points_y ({error!r})"
                ) from error
        return mask[:, :, None], {"classes": {(0, 1): "dolphin"}}
