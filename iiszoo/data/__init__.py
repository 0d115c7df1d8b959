"""Datasets: images, target regions and ignored pixels, under stable sample ids; and training data drawn from them.

Nothing heavy is imported until it is used: `import iiszoo.data` alone imports neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "AllRegions": "iiszoo.data.all_regions",
    "EvaluationDataset": "iiszoo.data.base",
    "Region": "iiszoo.data.seg_dataset",
    "RegionDataset": "iiszoo.data.region_dataset",
    "RegionDatasetWithInfo": "iiszoo.data.region_dataset",
    "Sample": "iiszoo.data.base",
    "SegDataset": "iiszoo.data.seg_dataset",
    "Target": "iiszoo.data.base",
    "collate_with_info": "iiszoo.data.region_dataset",
    "training_transform": "iiszoo.data.transforms",
}

__all__ = [
    "AllRegions",
    "EvaluationDataset",
    "Region",
    "RegionDataset",
    "RegionDatasetWithInfo",
    "Sample",
    "SegDataset",
    "Target",
    "collate_with_info",
    "training_transform",
]

if TYPE_CHECKING:
    from iiszoo.data.all_regions import AllRegions as AllRegions
    from iiszoo.data.base import EvaluationDataset as EvaluationDataset
    from iiszoo.data.base import Sample as Sample
    from iiszoo.data.base import Target as Target
    from iiszoo.data.region_dataset import RegionDataset as RegionDataset
    from iiszoo.data.region_dataset import RegionDatasetWithInfo as RegionDatasetWithInfo
    from iiszoo.data.region_dataset import collate_with_info as collate_with_info
    from iiszoo.data.seg_dataset import Region as Region
    from iiszoo.data.seg_dataset import SegDataset as SegDataset
    from iiszoo.data.transforms import training_transform as training_transform


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'iiszoo.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
