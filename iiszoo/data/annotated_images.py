"""A dataset with full masks whose images and annotations are files: what all such readers share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.data import file_checks
from iiszoo.data.seg_dataset import SegDataset
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks, Image


MOST_BYTES = 2**32
"""The most memory that the full masks of one image may take."""


class AnnotatedImages(SegDataset):
    """Subclasses define the files and how an annotation is read; several images may share one annotation file.

    Files are read on demand.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    @abstractmethod
    def image_file(self, i: int) -> Path:
        """The file of image i."""

    @abstractmethod
    def annotation_file(self, i: int) -> Path:
        """The file with the masks of image i."""

    @abstractmethod
    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        """Image i's full masks, integers `(H, W, L)`, and its info. Raises `DatasetError` naming the file."""

    def get_sample(self, i: int) -> tuple[Image, FullMasks, dict[str, Any]]:
        masks, info = self.read_annotation(i)
        return self.read_image(i), masks, info

    def read_image(self, i: int) -> Image:
        from iiszoo.data.read import read_image

        return read_image(self.image_file(i))

    def read_masks(self, i: int) -> FullMasks:
        return self.read_annotation(i)[0]

    def files_of(self, i: int) -> tuple[str, ...]:
        return (str(self.image_file(i)), str(self.annotation_file(i)))

    def stamp(self) -> str:
        return file_checks.stamp(
            file for i in range(len(self)) for file in (self.image_file(i), self.annotation_file(i))
        )

    def check_files(self) -> Iterator[str]:
        """One sentence per file that is missing, empty or of another kind, and per pair of different sizes."""
        annotations: set[Path] = set()
        for i in range(len(self)):
            try:
                size = self.image_size(i)
            except DatasetError as error:
                size = None
                yield str(error)
            annotation = self.annotation_file(i)
            if annotation not in annotations:
                annotations.add(annotation)
                fault = self.annotation_fault(i)
                if fault is not None:
                    yield fault
                    continue
            try:
                expected = self.mask_size(i)
            except DatasetError as error:
                yield str(error)
                continue
            if size is not None and expected is not None and size != expected:
                yield file_checks.sizes_differ(f"{self.image_file(i)} and {annotation}", "image", size, expected)

    def image_size(self, i: int) -> tuple[int, int]:
        """(rows, columns) of image i, found without decoding it. Raises `DatasetError`."""
        return file_checks.picture_size(self.image_file(i))

    def annotation_fault(self, i: int) -> str | None:
        """What is wrong with the annotation file of image i, found without decoding it; None if nothing is."""
        return file_checks.unreadable(self.annotation_file(i))

    def mask_size(self, i: int) -> tuple[int, int] | None:
        """(rows, columns) of image i's masks; None if that takes decoding them. Raises `DatasetError`."""
        return None
