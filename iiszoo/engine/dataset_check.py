"""Looking at a whole dataset before a run begins: every broken sample is reported at once, by file name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from iiszoo.data.base import EvaluationDataset, Inspection
from iiszoo.errors import DatasetError

_READERS = 2


@dataclass(frozen=True)
class Checked:
    """A dataset that can be run. `fingerprint` is a sha256 over the ids and masks of all `total` samples; `broken` maps
    the samples that are left out to the reason.
    """

    dataset: EvaluationDataset
    total: int
    fingerprint: str
    broken: dict[str, str]


def check(
    dataset: EvaluationDataset, limit: int | None, skip_broken: bool, progress: Callable[[int, int], None]
) -> Checked:
    """Read every mask, and the images of the first `limit` samples; `progress(done, total)` counts samples.

    Raises `DatasetError` that lists every sample that cannot be evaluated, unless `skip_broken`.
    """
    total = len(dataset)
    ids = [dataset.sample_id(i) for i in range(total)]
    if total == 0:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place} has no samples; `iiszoo show` says what it must hold"
        )
    if len(set(ids)) != total:
        twice = sorted({id for id in ids if ids.count(id) > 1})
        raise DatasetError(f"dataset {dataset.name}: sample ids are not unique: {', '.join(twice)}")
    fingerprint = hashlib.sha256()
    broken: dict[str, str] = {}
    selected = range(total if limit is None else min(limit, total))

    def inspect(i: int) -> Inspection:
        return dataset.inspect(i, with_image=i in selected)

    with ThreadPoolExecutor(_READERS, "check") as readers:
        for i, inspection in enumerate(readers.map(inspect, range(total))):
            fingerprint.update(f"{ids[i]} {inspection.digest}\n".encode())
            if inspection.fault is not None and i in selected:
                broken[ids[i]] = inspection.fault
            progress(i + 1, total)
    if len(broken) == len(selected) or (broken and not skip_broken):
        listed = "\n  ".join(broken.values())
        way_out = "mend them" if skip_broken else "mend them, or leave them out with --skip-broken"
        raise DatasetError(
            f"dataset {dataset.name}: {len(broken)} of {len(selected)} samples cannot be used; {way_out}:\n  {listed}"
        )
    return Checked(dataset, total, fingerprint.hexdigest(), broken)
