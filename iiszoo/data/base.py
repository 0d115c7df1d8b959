"""Datasets for evaluation: a sequence of samples with stable ids, each an image and a binary target region.

numpy and OpenCV are imported only when a picture is read, so that `iiszoo data` answers at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from iiszoo.data import file_checks
from iiszoo.data.picture_file import OTHER_SUFFIXES, READ, SUFFIXES
from iiszoo.errors import DatasetError
from iiszoo.file_names import composed, sample_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.inspection import SeenTarget

    Image = NDArray[np.uint8]
    Mask = NDArray[np.bool_]
    Probabilities = NDArray[np.float32]


class Target(NamedTuple):
    """`object` bool `(H, W)`, the target region; `ignore` bool `(H, W)`, pixels that count neither way, or None."""

    object: Mask
    ignore: Mask | None


def _nothing() -> None:
    """The initial mask of a session that starts from nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One image and one target region. A `Sample` contains no pixels: its functions read them.

    A dataset that differs in one field replaces it: `dataclasses.replace(sample, read_initial_mask=...)`.
    """

    id: str
    """A stable name, unique within the dataset."""
    image_id: str
    """The image's name. Samples that share it share the image: its encoder runs once for all of them."""
    files: tuple[str, ...]
    """The files that the sample is read from, or another name for it, for messages."""
    read_image: Callable[[], Image]
    """Uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""
    read_target: Callable[[], Target]
    """The target region and ignored pixels. Raises `DatasetError` naming the file."""
    read_initial_mask: Callable[[], Mask | Probabilities | None] = _nothing
    """The mask that the session starts from and corrects: bool `(H, W)`, or float32 `(H, W)` in [0, 1]; None: nothing.
    Raises `DatasetError` naming the file.
    """
    image_file: Path | None = None
    """The file whose bytes determine the image; None if there is none."""
    look_at_target: Callable[[], SeenTarget] | None = None
    """`iiszoo.data.inspection.seen_target`, if the dataset can compute it without drawing the target."""


class EvaluationDataset(Sequence[Sample]):
    """Samples in a fixed order, each made on access. Subclasses define `__len__` and `sample`."""

    name: str
    place: Path
    """The directory that it is read from; the file, if its id names one (`coco:FILE.json`)."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

    @abstractmethod
    def sample(self, i: int) -> Sample:
        """Sample i, 0 <= i < len(self); reads no pixels."""

    @overload
    def __getitem__(self, i: int) -> Sample: ...
    @overload
    def __getitem__(self, i: slice) -> list[Sample]: ...
    def __getitem__(self, i: int | slice) -> Sample | list[Sample]:
        indices = range(len(self))[i]
        return self.sample(indices) if isinstance(indices, int) else [self.sample(k) for k in indices]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.sample, range(len(self)))

    def check_files(self) -> Iterator[str]:
        """One sentence for each faulty file, found without decoding pixels."""
        return iter(())

    def stamp(self) -> str:
        """A hash that changes when the files look different (names, sizes, times); "" if that is not known."""
        return ""


class WrappedDataset(EvaluationDataset):
    """The samples of another dataset under another name. A subclass changes them in `sample`:
    `dataclasses.replace(super().sample(i), ...)`.
    """

    def __init__(self, dataset: EvaluationDataset, name: str) -> None:
        self.dataset, self.name, self.place = dataset, name, dataset.place

    def __len__(self) -> int:
        return len(self.dataset)

    def sample(self, i: int) -> Sample:
        return self.dataset.sample(i)

    def check_files(self) -> Iterator[str]:
        return self.dataset.check_files()

    def stamp(self) -> str:
        return self.dataset.stamp()


@dataclass(frozen=True)
class Pair:
    """One sample from files: its id, image and mask.

    `image_fault` and `mask_fault` say why there is no such file, or more than one: the sample is then broken, and the
    path is the expected one.
    """

    id: str
    image: Path
    mask: Path
    image_fault: str = ""
    mask_fault: str = ""

    def read_image(self) -> Image:
        """Uint8 `(H, W, 3)`, RGB. Raises `DatasetError` naming the file."""
        from iiszoo.data.read import read_image

        if self.image_fault:
            raise DatasetError(self.image_fault)
        return read_image(self.image)


class PairedFiles(EvaluationDataset):
    """A dataset of image and mask files. `decode` turns a mask file's pixels, as stored, into a `Target`; a subclass
    that overrides `target_in` needs none.
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

    def sample(self, i: int) -> Sample:
        pair = self.pairs[i]
        files = (str(pair.image), str(pair.mask))
        image_file = None if pair.image_fault else pair.image
        return Sample(pair.id, files[0], files, pair.read_image, partial(self._target, pair), image_file=image_file)

    def _target(self, pair: Pair) -> Target:
        if pair.mask_fault:
            raise DatasetError(pair.mask_fault)
        return self.target_in(pair.mask)

    def target_in(self, path: Path) -> Target:
        """The target of a mask file. Raises `DatasetError` naming the file."""
        from iiszoo.data.read import read_mask

        assert self._decode is not None
        return self._decode(read_mask(path))

    def stamp(self) -> str:
        return file_checks.stamp(path for pair in self.pairs for path in (pair.image, pair.mask))

    def check_files(self) -> Iterator[str]:
        """Files without a partner, unreadable headers and sizes that differ, by file name."""
        reported: set[str] = set()  # the objects of one image share its fault
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
            yield from (fault for fault in faults if fault not in reported)
            reported.update(faults)


def image_files(directory: Path) -> list[Path]:
    """The image files of a directory, sorted by stem, then name; without hidden files."""
    return [path for path in _visible_files(directory) if path.suffix.lower() in SUFFIXES]


def _visible_files(directory: Path) -> list[Path]:
    files = [path for path in directory.iterdir() if not path.name.startswith(".") and path.is_file()]
    return sorted(files, key=lambda path: (path.stem, path.name))


def pair_by_stem(images: Path, masks: Path, *, objects: bool = False) -> list[Pair]:
    """Pair the files of two directories by stem, sorted by it; composed and decomposed accents are equal.

    With `objects`, a mask may also be named `STEM__OBJECT`: several objects of one image. An image without a mask, a
    mask without an image, a file of an unsupported kind, images that share a stem and masks that share one become
    broken samples, so that all faults of a dataset are reported together. Raises `DatasetError` if there are files but
    no two pair.
    """
    with_stem, other_images = _by_stem(images)
    with_id, other_masks = _by_stem(masks)
    # A file named like a mask is meant as one, whatever its kind; so is a file named like an image that has masks.
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
        rule = "a mask has the name of its image" + (", or STEM__OBJECT if there are several" if objects else "")
        faults = dict.fromkeys(fault for pair in pairs for fault in (pair.image_fault, pair.mask_fault) if fault)
        raise DatasetError(f"{images} and {masks} do not pair; {rule}:\n  " + "\n  ".join(faults))
    return pairs


def _by_stem(directory: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """The files of a directory by composed stem: those of supported kinds, and all others."""
    read: dict[str, list[Path]] = {}
    others: dict[str, list[Path]] = {}
    for path in _visible_files(directory):
        (read if path.suffix.lower() in SUFFIXES else others).setdefault(composed(path.stem), []).append(path)
    return read, others


def _image_of(mask: str, images: Collection[str], objects: bool) -> str:
    """The stem of the image that a mask with this stem belongs to."""
    return mask.rsplit("__", 1)[0] if objects and mask not in images else mask


def _is_picture(files: Sequence[Path]) -> bool:
    return any(path.suffix.lower() in OTHER_SUFFIXES for path in files)


def _only(files: Sequence[Path], expected: Path, absent: str) -> tuple[Path, str]:
    """The only file and ""; else a path, `expected` if there is no file, and what is wrong."""
    if not files:
        return expected, absent
    place = files[0].parent
    unread = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if unread:
        kind = unread[0].suffix or "no suffix"
        return files[0], f"{place}: {unread[0].name} is of an unsupported kind ({kind}); supported are {READ}"
    if len(files) == 1:
        return files[0], ""
    names = [path.name for path in files]
    if len(set(map(composed, names))) < len(names):  # they look alike
        return files[0], f"{place}: {' and '.join(map(ascii, names))} differ only in how accents are composed; keep one"
    return files[0], f"{place}: {' and '.join(names)} share one stem; keep one"
