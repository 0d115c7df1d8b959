"""`initial=coco:FILE`: initial masks, as instances or results in COCO's format.

FILE contains instances (`images` and `annotations`, as `coco:FILE` reads them) or a list of results (`image_id`,
`segmentation`; polygons or run lengths). Images are matched by file name; results have only ids, so they need a dataset
`coco:FILE.json`, whose ids they use.

The masks of one image are matched to its samples by annotation id if the dataset is a `coco:FILE.json` and every mask
has the id of an annotation of its image; else by order, and each image must have as many masks as samples. Crowds do
not count. Images that the dataset does not have are ignored; if an image has no masks, that is a fault of its samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from iiszoo.data import coco_tables, file_checks, outlines
from iiszoo.data.base import EvaluationDataset, Sample, WrappedDataset
from iiszoo.data.coco_tables import Annotation, CocoImage
from iiszoo.data.datasets.coco_file import CocoObjects
from iiszoo.data.outlines import RunLengths
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    from iiszoo.data.base import Mask


@dataclass(frozen=True)
class _Masks:
    """The masks of one image, without crowds; `entry` is the image's entry in the file, None for results."""

    annotations: list[Annotation]
    entry: CocoImage | None = None


class StartsFromCoco(WrappedDataset):
    """Raises `DatasetError` if masks cannot be matched to samples, or none belongs to one."""

    def __init__(self, dataset: EvaluationDataset, name: str, file: Path) -> None:
        super().__init__(dataset, name)
        self.file = file
        images: dict[str, list[int]] = {}
        for i, sample in enumerate(dataset):
            images.setdefault(sample.image_id, []).append(i)
        found = file_checks.json_in(file)
        masks = self._of_results(found, images) if isinstance(found, list) else self._of_instances(found, images)
        masks = {image: own for image, own in masks.items() if own.annotations}
        if images and not masks:
            raise DatasetError(f"initial masks {file}: none belongs to an image of {dataset.name}")
        self._mask = self._by_id(images, masks) or self._by_order(images, masks)

    def sample(self, i: int) -> Sample:
        sample = super().sample(i)
        files = (*sample.files, str(self.file))
        return replace(sample, files=files, read_initial_mask=partial(self._drawn, i, sample))

    def stamp(self) -> str:
        return f"{super().stamp()} {file_checks.stamp([self.file])}"

    def check_files(self) -> Iterator[str]:
        """The dataset's own faults, then initial masks that are missing or cannot be drawn."""
        yield from super().check_files()
        for i, sample in enumerate(self.dataset):
            try:
                self._outline(i, sample)
            except DatasetError as error:
                yield str(error)

    def _drawn(self, i: int, sample: Sample) -> Mask:
        return outlines.drawn(self._outline(i, sample))

    def _outline(self, i: int, sample: Sample) -> RunLengths:
        if i not in self._mask:
            raise DatasetError(f"{self.file}: sample {sample.id!r} has no initial mask")
        annotation, entry = self._mask[i]
        label = f"{self.file}: {annotation.label}, the initial mask of sample {sample.id!r},"
        if annotation.fault or not annotation.segmentation:
            raise DatasetError(f"{label} {annotation.fault or 'has no outline'}")
        size = None if entry is None else coco_tables.checked_size(self.file, entry)
        if size is None:
            rows, columns = sample.read_target().object.shape
            size = rows, columns
        return coco_tables.outline(label, annotation.segmentation, size)

    def _of_results(self, found: list[object], images: dict[str, list[int]]) -> dict[str, _Masks]:
        """By image id of the dataset."""
        results = coco_tables.results_in(found, self.file)
        if not isinstance(self.dataset, CocoObjects):
            raise DatasetError(
                f"initial masks {self.file}: results have image ids, but {self.dataset.name} has none; give a "
                "file with images, which has their file names, or a dataset coco:FILE.json"
            )
        ids = {image: self.dataset.image(samples[0]).id for image, samples in images.items()}
        return {image: _Masks(_objects(results.get(id, []))) for image, id in ids.items()}

    def _of_instances(self, found: object, images: dict[str, list[int]]) -> dict[str, _Masks]:
        """By image id of the dataset, found by file name, with directories if the name alone is ambiguous."""
        entries: dict[str, list[CocoImage]] = {}
        for entry in coco_tables.images_in(found, self.file, self.file.parent):
            entries.setdefault(PurePosixPath(entry.name).name, []).append(entry)
        paths = {image: self._path(samples[0]) for image, samples in images.items()}
        names: dict[str, list[str]] = {}
        for image, path in paths.items():
            names.setdefault(path.name, []).append(image)
        matched: dict[str, _Masks] = {}
        for name, candidates in names.items():
            there = entries.get(name, [])
            one_of_each = len(candidates) == len(there) == 1
            for image in candidates:
                fitting = there if one_of_each else [entry for entry in there if _ends(paths[image], entry.name)]
                rivals = [other for other in candidates for entry in fitting if _ends(paths[other], entry.name)]
                if len(fitting) > 1 or (fitting and not one_of_each and len(rivals) > 1):
                    raise DatasetError(
                        f"initial masks {self.file}: {', '.join(repr(entry.name) for entry in fitting)} may be "
                        f"{' or '.join(str(paths[other]) for other in dict.fromkeys(rivals))}; give file_name with "
                        "the image's directories"
                    )
                if fitting:
                    matched[image] = _Masks(_objects(fitting[0].annotations), fitting[0])
        return matched

    def _path(self, i: int) -> PurePosixPath:
        sample = self.dataset[i]
        return PurePosixPath(sample.image_id if sample.image_file is None else sample.image_file.as_posix())

    def _by_id(
        self, images: dict[str, list[int]], masks: dict[str, _Masks]
    ) -> dict[int, tuple[Annotation, CocoImage | None]]:
        """By annotation id; empty unless every mask has the id of an annotation of its image, each once."""
        if not isinstance(self.dataset, CocoObjects):
            return {}
        found: dict[int, tuple[Annotation, CocoImage | None]] = {}
        for image, own in masks.items():
            samples = {i: self.dataset.annotation(i).id for i in images[image]}
            for mask in own.annotations:
                owners = [i for i, id in samples.items() if coco_tables.same_id(id, mask.id)]
                if len(owners) != 1 or owners[0] in found:
                    return {}
                found[owners[0]] = mask, own.entry
        return found

    def _by_order(
        self, images: dict[str, list[int]], masks: dict[str, _Masks]
    ) -> dict[int, tuple[Annotation, CocoImage | None]]:
        unequal = [image for image, own in masks.items() if len(own.annotations) != len(images[image])]
        if unequal:
            shown = ", ".join(
                f"{image} has {len(images[image])} and {len(masks[image].annotations)}" for image in unequal[:3]
            )
            raise DatasetError(
                f"initial masks {self.file}: masks cannot be matched to samples: {len(unequal)} images have different "
                f"numbers of samples and masks ({shown}{', ...' if len(unequal) > 3 else ''}); give each sample's "
                "mask in the samples' order, or, for a dataset coco:FILE.json, the ids of its annotations"
            )
        return {
            i: (mask, own.entry)
            for image, own in masks.items()
            for i, mask in zip(images[image], own.annotations, strict=True)
        }


def _objects(annotations: list[Annotation]) -> list[Annotation]:
    return [annotation for annotation in annotations if not annotation.crowd]


def _ends(path: PurePosixPath, name: str) -> bool:
    """Whether a path ends in all parts of `name`."""
    parts = PurePosixPath(name).parts
    return path.parts[-len(parts) :] == parts
