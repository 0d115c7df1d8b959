"""Each region of a dataset with full masks as one sample: how such a dataset is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

from iiszoo.data.annotated_images import AnnotatedImages
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.data.seg_dataset import Region, SegDataset, areas_in
from iiszoo.errors import DatasetError


class AllRegions(EvaluationDataset):
    """One sample per (image, layer, value) of `source`, in that order, as RITM (b9b4460) evaluates SBD.

    Ids are `IMAGE__VALUE`, or `IMAGE__LAYER.VALUE` above layer 0. Pixels below 0 in the region's layer are ignored.
    Regions of fewer than `min_area` pixels are left out. With `number_one=False` an image's only region is `IMAGE`.
    Regions are counted on first use; for most datasets this reads every mask file. An image whose masks cannot be read
    is one sample, `IMAGE`, which an inspection reports.
    """

    def __init__(self, name: str, source: SegDataset, *, min_area: int = 1, number_one: bool = True) -> None:
        self.name = name
        self.source = source
        self.min_area = min_area
        self.number_one = number_one
        self.place: Path = source.place

    @cached_property
    def _samples(self) -> list[tuple[int, Region | None, str]]:
        """(image, region, what its id has after the image's)."""
        samples: list[tuple[int, Region | None, str]] = []
        for i in range(len(self.source)):
            try:
                regions = self._regions(i)
            except DatasetError:
                samples.append((i, None, ""))
                continue
            numbered = self.number_one or len(regions) > 1
            samples += [(i, region, _number(region) if numbered else "") for region in regions]
        return samples

    def _regions(self, i: int) -> list[Region]:
        regions = self.source.regions(i)
        if self.min_area <= 1:
            return regions
        areas = areas_in(self.source.read_masks(i))
        return [region for region in regions if areas.get(region, 0) >= self.min_area]

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, i: int) -> Sample:
        image, region, number = self._samples[i]
        source, id = self.source, self.source.image_id(image)
        return Sample(
            id + number,
            id,
            source.files_of(image),
            partial(source.read_image, image),
            partial(self._target, image, region),
            image_file=source.image_file(image) if isinstance(source, AnnotatedImages) else None,
        )

    def _target(self, image: int, region: Region | None) -> Target:
        masks = self.source.read_masks(image)
        if region is None:
            files = " and ".join(self.source.files_of(image))
            raise DatasetError(f"{files}: could not be read when the regions were counted")
        layer = masks[:, :, region.layer]
        ignore = layer < 0
        return Target(layer == region.value, ignore if ignore.any() else None)

    def check_files(self) -> Iterator[str]:
        return self.source.check_files()

    def stamp(self) -> str:
        stamp = self.source.stamp()
        return f"{stamp} min_area={self.min_area}" if stamp and self.min_area > 1 else stamp


def _number(region: Region) -> str:
    return f"__{region.layer}.{region.value}" if region.layer else f"__{region.value}"
