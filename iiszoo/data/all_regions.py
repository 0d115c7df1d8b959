"""Every region of a dataset with full masks as a sample of its own: how such a dataset is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.data.base import EvaluationDataset, Target
from iiszoo.data.seg_dataset import Region, SegDataset, areas_in
from iiszoo.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AllRegions(EvaluationDataset):
    """One sample for each (image, layer, value) of `source`, in that order: the evaluation of SBD in RITM (b9b4460).

    Ids are `IMAGE__VALUE`, or `IMAGE__LAYER.VALUE` above layer 0. Pixels below 0 in the region's layer are ignored.
    Regions of fewer than `min_area` pixels are no samples.
    Regions are counted on first use: for most datasets every mask file is read for that. An image whose masks cannot be
    read is one sample, `IMAGE`, which `inspect` reports.
    """

    def __init__(self, name: str, source: SegDataset, *, min_area: int = 1) -> None:
        self.name = name
        self.source = source
        self.min_area = min_area
        self.place: Path = source.place

    @cached_property
    def _samples(self) -> list[tuple[int, Region | None]]:
        samples: list[tuple[int, Region | None]] = []
        for i in range(len(self.source)):
            try:
                samples += [(i, region) for region in self._regions(i)]
            except DatasetError:
                samples.append((i, None))
        return samples

    def _regions(self, i: int) -> list[Region]:
        regions = self.source.regions(i)
        if self.min_area <= 1:
            return regions
        areas = areas_in(self.source.read_masks(i))
        return [region for region in regions if areas.get(region, 0) >= self.min_area]

    def __len__(self) -> int:
        return len(self._samples)

    def sample_id(self, i: int) -> str:
        image, region = self._samples[i]
        if region is None:
            return self.source.image_id(image)
        layer = f"{region.layer}." if region.layer else ""
        return f"{self.source.image_id(image)}__{layer}{region.value}"

    def image_id(self, i: int) -> str:
        return self.source.image_id(self._samples[i][0])

    def read_image(self, i: int) -> NDArray[np.uint8]:
        return self.source.read_image(self._samples[i][0])

    def read_target(self, i: int) -> Target:
        image, region = self._samples[i]
        masks = self.source.read_masks(image)
        if region is None:
            raise DatasetError(f"{' and '.join(self.files_of(i))}: could not be read when the regions were counted")
        layer = masks[:, :, region.layer]
        ignore = layer < 0
        return Target(layer == region.value, ignore if ignore.any() else None)

    def files_of(self, i: int) -> tuple[str, ...]:
        return self.source.files_of(self._samples[i][0])

    def check_files(self) -> Iterator[str]:
        return self.source.check_files()

    def stamp(self) -> str:
        stamp = self.source.stamp()
        return f"{stamp} min_area={self.min_area}" if stamp and self.min_area > 1 else stamp
