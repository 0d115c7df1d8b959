"""Datasets whose objects are outlines in text files: their full masks, and each object as one sample.

Outlines are run lengths (`iiszoo.data.outlines`); masks are drawn one at a time, on demand.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from iiszoo.data import outlines
from iiszoo.data.annotated_images import MOST_BYTES, AnnotatedImages
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.data.inspection import UNSEEN, SeenTarget, inspect
from iiszoo.data.outlines import RunLengths
from iiszoo.data.seg_dataset import Region
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.seg_dataset import FullMasks

_MOST_LAYERS = 256
_BLOCK = 256
"""How many masks are compared with the others at once."""


class OutlinedImages(AnnotatedImages):
    """Images with outlined objects. Subclasses define where each is; objects of an image are numbered from 0.

    Full masks are int32 `(H, W, L)`: object k has value k + 1, ignored pixels are -1; of overlapping objects the later
    one goes to another layer.
    """

    @abstractmethod
    def objects(self, i: int) -> list[int]:
        """The numbers of image i's objects. Raises `DatasetError`."""

    @abstractmethod
    def outline(self, i: int, k: int) -> RunLengths:
        """The mask of image i's object k. Raises `DatasetError` naming it."""

    @abstractmethod
    def ignored(self, i: int) -> RunLengths | None:
        """The pixels of image i that count neither way unless they are the object's; None if there are none. Raises
        `DatasetError`.
        """

    @abstractmethod
    def size(self, i: int) -> tuple[int, int]:
        """(rows, columns) of image i's masks. Raises `DatasetError`."""

    @abstractmethod
    def info_of(self, i: int, regions: Sequence[Region]) -> dict[str, Any]:
        """The info of image i, whose objects are `regions` of its full masks."""

    @abstractmethod
    def why_empty(self, i: int, k: int) -> str:
        """Why object k of image i has no pixel, with its name: the end of a sentence."""

    def why_none(self) -> str:
        """Why no image has an object, a sentence; "" if that is no fault."""
        return ""

    def own_file(self, i: int) -> Path | None:
        """The file that contains image i and nothing else; None if there is none."""
        return self.image_file(i)

    def sample_id(self, i: int, k: int) -> str:
        """The id of object k of image i."""
        return f"{self.image_id(i)}__{k + 1}"

    def regions(self, i: int) -> list[Region]:
        """From the outlines; draws nothing."""
        return sorted(region for region, _ in self._layered(i))

    def read_annotation(self, i: int) -> tuple[FullMasks, dict[str, Any]]:
        """Raises `DatasetError` also if the masks of one image need more than 256 layers or 4 GiB."""
        import numpy as np

        rows, columns = self.size(i)
        objects = self._layered(i)
        n_layers = 1 + max((region.layer for region, _ in objects), default=0)
        layers = np.zeros((n_layers, rows, columns), np.int32)
        ignored = self.ignored(i)
        if ignored is not None:
            layers[:, outlines.drawn(ignored)] = -1
        for region, outline in objects:
            layers[region.layer][outlines.drawn(outline)] = region.value
        return layers.transpose(1, 2, 0), self.info_of(i, [region for region, _ in objects])

    def _layered(self, i: int) -> list[tuple[Region, RunLengths]]:
        wanted = self.objects(i)
        rows, columns = self.size(i)
        found = [self.outline(i, k) for k in wanted]
        most = max(1, min(_MOST_LAYERS, MOST_BYTES // (4 * rows * columns)))
        layers = _layers(found, most)
        if max(layers, default=0) >= most:
            raise DatasetError(
                f"{self.annotation_file(i)}: the objects of image {self.image_id(i)} overlap so much that their full "
                f"masks need more than {most} layers of {rows}x{columns} pixels (rows x columns), but at most "
                f"{_MOST_LAYERS} and {MOST_BYTES >> 30} GiB are drawn; scale the image down, or read its objects one "
                "by one, as the dataset for evaluation does"
            )
        return [(Region(layer, k + 1), outline) for layer, k, outline in zip(layers, wanted, found, strict=True)]


Source = TypeVar("Source", bound=OutlinedImages)


class OutlinedObjects(EvaluationDataset, Generic[Source]):
    """Each object of `source` as one sample. An image whose annotation cannot be read is one sample, which an
    inspection reports.
    """

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self.source = source
        self.place: Path = source.place
        self._ignored: tuple[int, RunLengths | None] | None = None

    @cached_property
    def _samples(self) -> list[tuple[int, int | None]]:
        """(image, object) of each."""
        samples: list[tuple[int, int | None]] = []
        for i in range(len(self.source)):
            try:
                samples += [(i, k) for k in self.source.objects(i)]
            except DatasetError:
                samples.append((i, None))
        if not samples and (why := self.source.why_none()):
            raise DatasetError(why)
        return samples

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> Sample:
        image, k = self._samples[i]
        source = self.source
        return Sample(
            source.image_id(image) if k is None else source.sample_id(image, k),
            source.image_id(image),
            source.files_of(image),
            partial(source.read_image, image),
            partial(self._target, image, k),
            image_file=source.own_file(image),
            look_at_target=partial(self._look_at, image, k),
        )

    def _outline(self, image: int, k: int | None) -> RunLengths:
        if k is None:
            self.source.objects(image)
            raise DatasetError(f"{self.source.annotation_file(image)}: could not be read when objects were counted")
        return self.source.outline(image, k)

    def _target(self, image: int, k: int | None) -> Target:
        object = outlines.drawn(self._outline(image, k))
        ignored = self._ignored_of(image)
        if ignored is None:
            return Target(object, None)
        ignore = outlines.drawn(ignored)
        ignore &= ~object
        return Target(object, ignore if ignore.any() else None)

    def _look_at(self, image: int, k: int | None) -> SeenTarget:
        """From run lengths instead of pixels; they differ if a single pixel does."""
        from pycocotools import mask as rle

        outline, size, ignored = self._outline(image, k), self.source.size(image), self._ignored_of(image)
        content = hashlib.sha256(f"run lengths {size}\n".encode() + outline["counts"])
        if ignored is not None:
            covered = outlines.united([outline, ignored], size)["counts"]
            content.update(b"" if covered == outline["counts"] else b"\nwith ignored " + covered)
        fault = ""
        if k is not None and not rle.area(outline):
            fault = f"the target is empty; there is nothing to click on: {self.source.why_empty(image, k)}"
        return SeenTarget(size, content.hexdigest(), fault)

    def stamp(self) -> str:
        return self.source.stamp()

    def check_files(self) -> Iterator[str]:
        """The faults of files, then one sentence for each object that cannot be a target."""
        yield from self.source.check_files()
        for i, (image, k) in enumerate(self._samples):
            try:
                self.source.size(image)
            except DatasetError:
                continue  # reported for the image
            fault = None if k is None else inspect(self.sample(i), UNSEEN).fault
            if fault is not None:
                yield fault

    def _ignored_of(self, image: int) -> RunLengths | None:
        known = self._ignored
        if known is None or known[0] != image:
            known = self._ignored = image, self.source.ignored(image)
        return known[1]


def _layers(masks: Sequence[RunLengths], most: int) -> list[int]:
    """For each mask the first layer in which no earlier one overlaps it. Stops early if one needs layer `most`."""
    import numpy as np
    from pycocotools import mask as rle

    layers = np.zeros(len(masks), int)
    for first in range(0, len(masks), _BLOCK):
        block = list(masks[first : first + _BLOCK])
        overlap = rle.iou(block, list(masks[: first + len(block)]), [0] * (first + len(block))) > 0
        for row in range(len(block)):
            k = first + row
            taken = np.unique(layers[:k][overlap[row, :k]])
            free = np.flatnonzero(taken != np.arange(len(taken)))
            layers[k] = free[0] if free.size else len(taken)
            if layers[k] >= most:
                return [int(layer) for layer in layers]
    return [int(layer) for layer in layers]
