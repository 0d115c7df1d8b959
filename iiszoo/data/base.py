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

from iiszoo.errors import DatasetError, one_line

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
    """`digest`: the sample's id, size, target and ignored pixels as one sha256 hex digest. Of decoded pixels, so that a
    mask saved anew in another lossless format counts as the same. `fault`: why the sample cannot be evaluated, in one
    sentence that names its file; None where it can.
    """

    digest: str
    fault: str | None


class EvaluationDataset(ABC):
    """Samples in a fixed order. Subclasses say how many there are and how one is read.

    Samples that share an `image_id` share the image: its encoder runs once for all of them.
    """

    name: str
    place: Path
    """The directory that it is read from."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

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

        Faults: an unreadable file, sizes that differ, a target that is empty or wholly ignored. Without `with_image`
        only the mask is read.
        """
        files = " and ".join(self.files_of(i))
        try:
            target = self.read_target(i)
        except DatasetError as error:
            return Inspection("unreadable", str(error))
        digest = _digest(self.sample_id(i), target)
        counted = target.object if target.ignore is None else target.object & ~target.ignore
        if not target.object.any():
            return Inspection(digest, f"{files}: the target is empty, there is nothing to click on")
        if not counted.any():
            return Inspection(digest, f"{files}: the target is ignored as a whole, there is nothing to click on")
        if not with_image:
            return Inspection(digest, None)
        try:
            image = self.read_image(i)
        except DatasetError as error:
            return Inspection(digest, str(error))
        if image.shape[:2] != target.object.shape:
            return Inspection(digest, _sizes_differ(files, image.shape[:2], target.object.shape))
        return Inspection(digest, None)


def _digest(sample_id: str, target: Target) -> str:
    content = hashlib.sha256(f"{sample_id}\n{target.object.shape}\n".encode())
    content.update(target.object.tobytes())
    content.update(b"" if target.ignore is None else target.ignore.tobytes())
    return content.hexdigest()


def _sizes_differ(files: str, image: Sequence[int], mask: Sequence[int]) -> str:
    return f"{files}: image and mask differ in size (rows x columns): {image[0]}x{image[1]} but {mask[0]}x{mask[1]}"


@dataclass(frozen=True)
class Pair:
    """One sample of files: its id, the image, and the mask."""

    id: str
    image: Path
    mask: Path


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

        return read_image(self.pairs[i].image)

    def read_target(self, i: int) -> Target:
        from iiszoo.data.read import read_mask

        return self._decode(read_mask(self.pairs[i].mask))

    def files_of(self, i: int) -> tuple[str, ...]:
        return (str(self.pairs[i].image), str(self.pairs[i].mask))

    def stamp(self) -> str:
        seen = hashlib.sha256()
        for pair in self.pairs:
            for path in (pair.image, pair.mask):
                found = path.stat()
                seen.update(f"{pair.id} {path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
        return seen.hexdigest()

    def check_files(self) -> Iterator[str]:
        """Unreadable headers and sizes that differ, by file name."""
        for pair in self.pairs:
            sizes = []
            for path in (pair.image, pair.mask):
                try:
                    sizes.append(_size(path, turned=path is pair.image))
                except Exception as error:  # noqa: BLE001  Pillow raises SyntaxError and others for damaged files
                    yield f"{path}: cannot be read as an image ({one_line(error)})"
            if len(sizes) == 2 and sizes[0] != sizes[1]:
                yield _sizes_differ(f"{pair.image} and {pair.mask}", sizes[0], sizes[1])


def _size(path: Path, turned: bool) -> tuple[int, int]:
    """(rows, columns) from the file's header, as it will be decoded: images, not masks, are turned as EXIF says."""
    from PIL import Image

    with Image.open(path) as image:
        columns, rows = image.size
        turned = turned and image.getexif().get(274, 1) in (5, 6, 7, 8)
    return (columns, rows) if turned else (rows, columns)


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

    With `objects`, a mask may also be called `STEM__OBJECT`: several objects of one image. Raises `DatasetError` that
    names every image without a mask, every mask without an image, and every stem that two images share.
    """
    by_stem: dict[str, Path] = {}
    faults: list[str] = []
    for path in image_files(images):
        if path.stem in by_stem:
            faults.append(f"{by_stem[path.stem].name} and {path.name} share one stem")
        by_stem[path.stem] = path
    pairs: list[Pair] = []
    for mask in image_files(masks):
        stem = mask.stem
        if objects and stem not in by_stem and "__" in stem:
            stem = stem.rsplit("__", 1)[0]
        if stem in by_stem:
            pairs.append(Pair(mask.stem, by_stem[stem], mask))
        else:
            faults.append(f"mask {mask.name} has no image")
    with_mask = {pair.image for pair in pairs}
    faults += [f"image {path.name} has no mask" for path in by_stem.values() if path not in with_mask]
    ids = [pair.id for pair in pairs]
    faults += [f"two masks are called {id}" for id in sorted({id for id in ids if ids.count(id) > 1})]
    if faults:
        way_out = "a mask is called as its image" + (", or STEM__OBJECT where there are several" if objects else "")
        listed = "\n  ".join(faults)
        raise DatasetError(f"{images} and {masks} do not pair; {way_out}:\n  {listed}")
    return pairs
