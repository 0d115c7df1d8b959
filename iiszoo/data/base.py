"""What a dataset for evaluation is: enumerable samples with stable ids, each an image and a binary target region.

Nothing here imports numpy or OpenCV before a picture is read, so that `iiszoo data` answers at once.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iiszoo.data import file_checks
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Mask = NDArray[np.bool_]


class Target(NamedTuple):
    """`object` bool `(H, W)`, the target region; `ignore` bool `(H, W)`, pixels that count neither way, or None."""

    object: Mask
    ignore: Mask | None


class Inspection(NamedTuple):
    """`digest`: the sample's id, size, target, ignored pixels and initial mask as one sha256 hex digest. Of decoded
    pixels, so that a mask saved anew in another lossless format counts as the same. `fault`: why the sample cannot be
    evaluated, naming its files; None where it can.
    """

    digest: str
    fault: str | None


@dataclass(frozen=True)
class Sample:
    """One sample of a dataset; nothing is read before it is asked for."""

    dataset: EvaluationDataset
    index: int

    @property
    def id(self) -> str:
        """A stable name, unique within the dataset."""
        return self.dataset.sample_id(self.index)

    def read_image(self) -> Image:
        """Uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""
        return self.dataset.read_image(self.index)

    def read_target(self) -> Target:
        """The target region and ignored pixels. Raises `DatasetError` naming the file."""
        return self.dataset.read_target(self.index)

    def read_initial_mask(self) -> Mask | None:
        """The mask that the session starts from, bool `(H, W)`; None: from nothing."""
        return self.dataset.read_initial_mask(self.index)


class EvaluationDataset(ABC):
    """Samples in a fixed order. Subclasses say how many there are and how one is read.

    Samples that share an `image_id` share the image: its encoder runs once for all of them.
    """

    name: str
    place: Path
    """The directory that it is read from; the file, where its id names one (`coco:FILE.json`)."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

    def __getitem__(self, i: int) -> Sample:
        """Sample i, lazily."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        return Sample(self, i)

    @abstractmethod
    def sample_id(self, i: int) -> str:
        """A stable name of sample i, unique within the dataset."""

    @abstractmethod
    def image_id(self, i: int) -> str:
        """The name of sample i's image."""

    @abstractmethod
    def read_image(self, i: int) -> Image:
        """Sample i's image: uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""

    @abstractmethod
    def read_target(self, i: int) -> Target:
        """Sample i's target region and ignored pixels. Raises `DatasetError` naming the file."""

    def read_initial_mask(self, i: int) -> Mask | None:
        """The mask that sample i's session starts from, bool `(H, W)`, to be corrected; None: it starts from nothing.
        Raises `DatasetError` naming the file.
        """
        return None

    def files_of(self, i: int) -> tuple[str, ...]:
        """The files that sample i is read from, for messages."""
        return (self.sample_id(i),)

    def check_files(self) -> Iterator[str]:
        """One sentence for each file that cannot be right, found without decoding pixels."""
        return iter(())

    def stamp(self) -> str:
        """A hash that changes when the files look different (names, sizes, times); "" where that is not known."""
        return ""

    def groups(self) -> list[list[int]]:
        """Sample indices by image, in order of first appearance."""
        by_image: dict[str, list[int]] = {}
        for i in range(len(self)):
            by_image.setdefault(self.image_id(i), []).append(i)
        return list(by_image.values())

    def inspect(self, i: int, *, with_image: bool = True) -> Inspection:
        """Read sample i and say whether it can be evaluated.

        Faults: a file that is absent or unreadable, sizes that differ, a target that is empty or wholly ignored. Where
        there are several they are joined with "; ". Without `with_image` only the mask is read.
        """
        files = " and ".join(self.files_of(i))
        digest, faults, shape = "unreadable", [], None
        try:
            target = self.read_target(i)
            initial = self.read_initial_mask(i)
        except DatasetError as error:
            faults.append(str(error))
        else:
            digest, shape = _digest(self.sample_id(i), target, initial), target.object.shape
            counted = target.object if target.ignore is None else target.object & ~target.ignore
            if not target.object.any():
                faults.append(f"{files}: the target is empty, there is nothing to click on")
            elif not counted.any():
                faults.append(f"{files}: the target is ignored as a whole, there is nothing to click on")
            if initial is not None and initial.shape != shape:
                faults.append(file_checks.sizes_differ(files, "initial mask", initial.shape, shape))
        if with_image:
            try:
                image = self.read_image(i)
            except DatasetError as error:
                faults.append(str(error))
            else:
                if shape is not None and image.shape[:2] != shape:
                    faults.append(file_checks.sizes_differ(files, "image", image.shape[:2], shape))
        return Inspection(digest, "; ".join(dict.fromkeys(faults)) or None)


def _digest(sample_id: str, target: Target, initial: Mask | None) -> str:
    content = hashlib.sha256(f"{sample_id}\n{target.object.shape}\n".encode())
    content.update(target.object.tobytes())
    content.update(b"" if target.ignore is None else target.ignore.tobytes())
    content.update(b"" if initial is None else b"initial mask" + initial.tobytes())
    return content.hexdigest()


@dataclass(frozen=True)
class Pair:
    """One sample of files: its id, the image, and the mask.

    `image_fault` and `mask_fault` say why there is no such file, or not one alone: the sample is a broken one then, and
    the path is where a file was to be expected.
    """

    id: str
    image: Path
    mask: Path
    image_fault: str = ""
    mask_fault: str = ""


class PairedFiles(EvaluationDataset):
    """A dataset of image and mask files. `decode` turns a mask file's pixels, as stored, into a `Target`."""

    def __init__(self, name: str, place: Path, pairs: Sequence[Pair], decode: Callable[[Any], Target]) -> None:
        self.name = name
        self.place = place
        self.pairs = list(pairs)
        self._decode = decode

    def __len__(self) -> int:
        return len(self.pairs)

    def sample_id(self, i: int) -> str:
        return self.pairs[i].id

    def image_id(self, i: int) -> str:
        return str(self.pairs[i].image)

    def read_image(self, i: int) -> Image:
        from iiszoo.data.read import read_image

        if self.pairs[i].image_fault:
            raise DatasetError(self.pairs[i].image_fault)
        return read_image(self.pairs[i].image)

    def read_target(self, i: int) -> Target:
        if self.pairs[i].mask_fault:
            raise DatasetError(self.pairs[i].mask_fault)
        return self._decode(self.read_mask(self.pairs[i].mask))

    def read_mask(self, path: Path) -> Any:
        """What `decode` gets: the values that a mask file holds. Raises `DatasetError` naming the file."""
        from iiszoo.data.read import read_mask

        return read_mask(path)

    def files_of(self, i: int) -> tuple[str, ...]:
        return (str(self.pairs[i].image), str(self.pairs[i].mask))

    def stamp(self) -> str:
        return file_checks.stamp(path for pair in self.pairs for path in (pair.image, pair.mask))

    def check_files(self) -> Iterator[str]:
        """Files without a partner, unreadable headers and sizes that differ, by file name."""
        told: set[str] = set()  # the objects of one image share its fault
        for pair in self.pairs:
            faults, sizes = [], []
            for path, fault in ((pair.image, pair.image_fault), (pair.mask, pair.mask_fault)):
                if fault:
                    faults.append(fault)
                    continue
                try:
                    sizes.append(file_checks.picture_size(path, turned=path is pair.image))
                except DatasetError as error:
                    faults.append(str(error))
            if len(sizes) == 2 and sizes[0] != sizes[1]:
                faults.append(file_checks.sizes_differ(f"{pair.image} and {pair.mask}", "image", sizes[0], sizes[1]))
            yield from (fault for fault in faults if fault not in told)
            told.update(faults)


IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


def image_files(directory: Path) -> list[Path]:
    """The image files of a directory, sorted by stem (then by name), hidden files left out."""
    files = [
        path
        for path in directory.iterdir()
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]
    return sorted(files, key=lambda path: (path.stem, path.name))


def pair_by_stem(images: Path, masks: Path, *, objects: bool = False) -> list[Pair]:
    """Pair the files of two directories by stem, sorted by it.

    With `objects`, a mask may also be called `STEM__OBJECT`: several objects of one image. An image without a mask, a
    mask without an image, images that share a stem and masks that share one become broken samples, so that all faults
    of a dataset are told together. Raises `DatasetError` where there are files, but no two that pair.
    """
    with_stem: dict[str, list[Path]] = {}
    for path in image_files(images):
        with_stem.setdefault(path.stem, []).append(path)
    with_id: dict[str, list[Path]] = {}
    for path in image_files(masks):
        with_id.setdefault(path.stem, []).append(path)
    pairs: list[Pair] = []
    masked: set[str] = set()
    for id, mask_files in with_id.items():
        stem = id.rsplit("__", 1)[0] if objects and id not in with_stem else id
        masked.add(stem)
        lonely = f"{masks}: mask {mask_files[0].name} has no image"
        image, image_fault = _only(with_stem.get(stem, []), images / stem, lonely)
        mask, mask_fault = _only(mask_files, masks / id, "")
        pairs.append(Pair(id, image, mask, image_fault, mask_fault))
    for stem in with_stem.keys() - masked:
        image, image_fault = _only(with_stem[stem], images / stem, "")
        pairs.append(Pair(stem, image, masks / stem, image_fault, f"{images}: image {image.name} has no mask"))
    pairs.sort(key=lambda pair: pair.id)
    if pairs and all(pair.image_fault or pair.mask_fault for pair in pairs):
        way_out = "a mask is called as its image" + (", or STEM__OBJECT where there are several" if objects else "")
        faults = dict.fromkeys(fault for pair in pairs for fault in (pair.image_fault, pair.mask_fault) if fault)
        raise DatasetError(f"{images} and {masks} do not pair; {way_out}:\n  " + "\n  ".join(faults))
    return pairs


def _only(files: Sequence[Path], expected: Path, absent: str) -> tuple[Path, str]:
    """The one file that there is; else where it was `expected`, and what is wrong."""
    if len(files) == 1:
        return files[0], ""
    if not files:
        return expected, absent
    names = " and ".join(file.name for file in files)
    return files[0], f"{files[0].parent}: {names} share one stem, so that it is not known which is meant"
