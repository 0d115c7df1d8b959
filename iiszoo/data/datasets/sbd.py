"""SBD, the Semantic Boundaries Dataset: photographs of PASCAL VOC 2011 with outlined objects (Hariharan et al. 2011).

`img/NAME.jpg`, `inst/NAME.mat` (the struct GTinst: Segmentation, Boundaries, Categories), `cls/NAME.mat` (the struct
GTcls) and `train.txt`, `val.txt`, the names of each split: the contents of `benchmark_RELEASE/dataset` in the archive.
The splits are SBD's own, not VOC's: some of its training images are in VOC's validation set.

`sbd` and `sbd-train`: every value above 0 of `GTinst.Segmentation` is one object, however small or broken (RITM
b9b4460, isegm/data/datasets/sbd.py, `SBDEvaluationDataset`). `sbd-per-class`: every value above 0 of
`GTcls.Segmentation` is one class, all its objects together. No pixel is ignored. Sample id = `NAME__VALUE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import DatasetCard
from iiszoo.data import file_checks, roots
from iiszoo.data.all_regions import AllRegions
from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.voc_classes import VOC_CLASSES
from iiszoo.errors import DatasetError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.seg_dataset import FullMasks

_MAGIC = b"MATLAB 5.0 MAT-file"


def load(card: DatasetCard, root: Path | None = None) -> AllRegions:
    """Every object of the validation split, under `root`. Raises `DatasetError`."""
    return AllRegions(card.id, SBD(roots.find(card, root, "img", "inst", "val.txt"), "val"))


def load_train(card: DatasetCard, root: Path | None = None, *, min_fill: float = 0.0) -> AllRegions:
    """Every object of the training split, under `root`; `min_fill`: see `SBD`. Raises `DatasetError`."""
    return AllRegions(card.id, SBD(roots.find(card, root, "img", "inst", "train.txt"), "train", min_fill=min_fill))


def load_per_class(card: DatasetCard, root: Path | None = None) -> AllRegions:
    """Every class of each image of the validation split, under `root`. Raises `DatasetError`."""
    return AllRegions(card.id, SBDClasses(roots.find(card, root, "img", "cls", "val.txt"), "val"))


class _MatFiles(AnnotatedImages):
    """SBD's images with the .mat files of `folder`, each with a struct named `struct`. Raises `DatasetError`."""

    folder: str
    struct: str

    def __init__(self, place: Path, split: str = "train") -> None:
        super().__init__(place)
        self.names = file_checks.names_in(place / f"{split}.txt")

    def __len__(self) -> int:
        return len(self.names)

    def image_id(self, i: int) -> str:
        return self.names[i]

    def image_file(self, i: int) -> Path:
        return self.place / "img" / f"{self.names[i]}.jpg"

    def annotation_file(self, i: int) -> Path:
        return self.place / self.folder / f"{self.names[i]}.mat"

    def annotation_fault(self, i: int) -> str | None:
        path = self.annotation_file(i)
        fault = file_checks.unreadable(path)
        if fault is not None:
            return fault
        with path.open("rb") as file:
            is_mat = file.read(len(_MAGIC)) == _MAGIC
        return None if is_mat else f"{path}: is not a MATLAB 5.0 file, as SBD's are"

    def read_struct(self, i: int) -> Any:
        """The struct of image i, a numpy record of its fields. Raises `DatasetError`."""
        from scipy.io import loadmat

        path = self.annotation_file(i)
        try:
            return loadmat(path, variable_names=[self.struct])[self.struct][0, 0]
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
        except KeyError as error:
            raise DatasetError(f"{path}: has no struct {self.struct}, as SBD's {self.folder}/*.mat do") from error
        except Exception as error:  # a damaged .mat raises nearly anything
            raise DatasetError(f"{path}: cannot be read as a .mat file ({one_line(error)})") from error

    def segmentation(self, struct: Any, i: int) -> NDArray[np.integer[Any]]:
        """The struct's integers `(H, W)`. Raises `DatasetError`."""
        found = struct["Segmentation"] if "Segmentation" in (struct.dtype.names or ()) else None
        if found is None or found.ndim != 2 or found.dtype.kind not in "iu":
            raise DatasetError(f"{self.annotation_file(i)}: {self.struct} has no Segmentation of integers (H, W)")
        return found  # type: ignore[no-any-return]


class SBD(_MatFiles):
    """SBD's objects, for training and for `AllRegions`. `place` contains `img/`, `inst/` and `SPLIT.txt`; `split` is
    `"train"` or `"val"`.

    Masks are uint8 `(H, W, 1)`; `info["classes"]` has VOC's names. `min_fill`: objects that cover a smaller share of
    their bounding box are left out; RITM trains with 0.08 (it calls such masks buggy) and evaluates with 0.

    Raises `DatasetError` if `SPLIT.txt` cannot be read.
    """

    folder, struct = "inst", "GTinst"

    def __init__(self, place: Path, split: str = "train", *, min_fill: float = 0.0) -> None:
        super().__init__(place, split)
        self.min_fill = min_fill

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        struct = self.read_struct(i)
        values = self.segmentation(struct, i)
        if self.min_fill > 0:
            values = _without_thin_objects(values, self.min_fill)
        numbers = struct["Categories"].ravel() if "Categories" in struct.dtype.names else ()
        classes = {(0, k): VOC_CLASSES[number] for k, number in enumerate(numbers, 1) if number in VOC_CLASSES}
        return values[:, :, None], {"classes": classes}


class SBDClasses(_MatFiles):
    """SBD's classes, for training and for `AllRegions`: like `SBD`, from `cls/`. A value is its class's number."""

    folder, struct = "cls", "GTcls"

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        values = self.segmentation(self.read_struct(i), i)
        return values[:, :, None], {"classes": {(0, number): name for number, name in VOC_CLASSES.items()}}


def _without_thin_objects(values: NDArray[np.integer[Any]], min_fill: float) -> NDArray[np.integer[Any]]:
    import numpy as np
    from scipy.ndimage import find_objects

    kept = values.copy()
    for value, box in enumerate(find_objects(values), 1):
        if box is not None and np.mean(values[box] == value) < min_fill:
            kept[values == value] = 0
    return kept
