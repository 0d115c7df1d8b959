"""What a dataset for evaluation is: enumerable samples with stable ids, each an image and a binary target region.

Nothing here imports numpy or OpenCV before a picture is read, so that `iiszoo data` answers at once.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iiszoo.data import file_checks
from iiszoo.data.picture_file import OTHER_SUFFIXES, READ, SUFFIXES
from iiszoo.errors import DatasetError
from iiszoo.file_names import composed, for_hash, printable, sample_name

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
        return Inspection(digest, printable("; ".join(dict.fromkeys(faults))) or None)


def _digest(sample_id: str, target: Target, initial: Mask | None) -> str:
    content = hashlib.sha256(for_hash(f"{sample_id}\n{target.object.shape}\n"))
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
    """A dataset of image and mask files. `decode` turns a mask file's pixels, as stored, into a `Target`; a subclass
    that reads its masks otherwise (`target_in`) has none.
    """

    def __init__(
        self, name: str, place: Path, pairs: Sequence[Pair], decode: Callable[[Any], Target] | None = None
    ) -> None:
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
        return self.target_in(self.pairs[i].mask)

    def target_in(self, path: Path) -> Target:
        """The target of a mask file. Raises `DatasetError` naming the file."""
        from iiszoo.data.read import read_mask

        assert self._decode is not None
        return self._decode(read_mask(path))

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
                    sizes.append(file_checks.picture_size(path))
                except DatasetError as error:
                    faults.append(str(error))
            if len(sizes) == 2 and sizes[0] != sizes[1]:
                faults.append(file_checks.sizes_differ(f"{pair.image} and {pair.mask}", "image", sizes[0], sizes[1]))
            yield from (fault for fault in faults if fault not in told)
            told.update(faults)


def image_files(directory: Path) -> list[Path]:
    """The image files of a directory, sorted by stem (then by name), hidden files left out."""
    return [path for path in _visible_files(directory) if path.suffix.lower() in SUFFIXES]


def _visible_files(directory: Path) -> list[Path]:
    files = [path for path in directory.iterdir() if not path.name.startswith(".") and path.is_file()]
    return sorted(files, key=lambda path: (path.stem, path.name))


def pair_by_stem(images: Path, masks: Path, *, objects: bool = False) -> list[Pair]:
    """Pair the files of two directories by stem, sorted by it; accents count as one however they are composed.

    With `objects`, a mask may also be called `STEM__OBJECT`: several objects of one image. An image without a mask, a
    mask without an image, a file of a kind that is not read, images that share a stem and masks that share one become
    broken samples, so that all faults of a dataset are told together. Raises `DatasetError` where there are files, but
    no two that pair.
    """
    with_stem, other_images = _by_stem(images)
    with_id, other_masks = _by_stem(masks)
    # What is called as a mask would be is meant as one, whatever its kind; so is what is called as an image with masks.
    have_masks = {_image_of(id, with_stem, objects) for id in with_id}
    for id, files in other_masks.items():
        stem = _image_of(id, with_stem, objects)
        if id not in with_id and ((stem in with_stem and stem not in have_masks) or _is_picture(files)):
            with_id[id] = files
    wanted = {*with_id, *(_image_of(id, with_stem, objects) for id in with_id)}
    for stem, files in other_images.items():
        if stem not in with_stem and (stem in wanted or _is_picture(files)):
            with_stem[stem] = files
    pairs: list[Pair] = []
    masked: set[str] = set()
    for id, mask_files in with_id.items():
        stem = _image_of(id, with_stem, objects)
        masked.add(stem)
        lonely = f"{masks}: mask {mask_files[0].name} has no image"
        image, image_fault = _only(with_stem.get(stem, []), images / stem, lonely)
        mask, mask_fault = _only(mask_files, masks / id, "")
        pairs.append(Pair(sample_name(id), image, mask, image_fault, mask_fault))
    for stem in with_stem.keys() - masked:
        image, image_fault = _only(with_stem[stem], images / stem, "")
        lonely = f"{images}: image {image.name} has no mask"
        pairs.append(Pair(sample_name(stem), image, masks / stem, image_fault, lonely))
    pairs.sort(key=lambda pair: pair.id)
    if pairs and all(pair.image_fault or pair.mask_fault for pair in pairs):
        way_out = "a mask is called as its image" + (", or STEM__OBJECT where there are several" if objects else "")
        faults = dict.fromkeys(fault for pair in pairs for fault in (pair.image_fault, pair.mask_fault) if fault)
        raise DatasetError(f"{images} and {masks} do not pair; {way_out}:\n  " + "\n  ".join(faults))
    return pairs


def _by_stem(directory: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """The files of a directory by composed stem: those of kinds that are read, and all others."""
    read: dict[str, list[Path]] = {}
    others: dict[str, list[Path]] = {}
    for path in _visible_files(directory):
        (read if path.suffix.lower() in SUFFIXES else others).setdefault(composed(path.stem), []).append(path)
    return read, others


def _image_of(mask: str, images: Collection[str], objects: bool) -> str:
    """The stem of the image that a mask of this stem belongs to."""
    return mask.rsplit("__", 1)[0] if objects and mask not in images else mask


def _is_picture(files: Sequence[Path]) -> bool:
    return any(path.suffix.lower() in OTHER_SUFFIXES for path in files)


def _only(files: Sequence[Path], expected: Path, absent: str) -> tuple[Path, str]:
    """The one file that there is; else where it was `expected`, and what is wrong."""
    if not files:
        return expected, absent
    place = files[0].parent
    unread = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if unread:
        kind = unread[0].suffix or "no ending"
        return files[0], f"{place}: {unread[0].name} is of a kind that is not read ({kind}); read are {READ}"
    if len(files) == 1:
        return files[0], ""
    names = [path.name for path in files]
    if len(set(map(composed, names))) < len(names):  # they look alike
        return files[0], f"{place}: {' and '.join(map(ascii, names))} differ in how accents are composed only; keep one"
    return files[0], f"{place}: {' and '.join(names)} share one stem, so that it is not known which is meant"
