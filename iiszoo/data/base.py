"""Datasets for evaluation: a sequence of samples with stable ids, each an image and a binary target region.

numpy and OpenCV are imported only when a picture is read, so that `iiszoo data` answers at once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from iiszoo.data import file_checks
from iiszoo.data.pairing import Pair, image_files, pair_by_stem
from iiszoo.data.roots import find as find_root
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iiszoo.data.inspection import SeenTarget

    Image = NDArray[np.uint8]
    Mask = NDArray[np.bool_]
    Probabilities = NDArray[np.float32]


__all__ = [
    "EvaluationDataset",
    "Pair",
    "PairedFiles",
    "Sample",
    "Target",
    "WrappedDataset",
    "find_root",
    "image_files",
    "pair_by_stem",
]


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
