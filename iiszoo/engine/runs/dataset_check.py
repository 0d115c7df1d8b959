"""Looking at a whole dataset before a run begins: every broken sample is reported at once, by file name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from iiszoo.cards import DatasetCard
from iiszoo.data.base import EvaluationDataset, Inspection
from iiszoo.errors import DatasetError
from iiszoo.file_names import for_hash

_READERS = 2

Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`, in samples."""


@dataclass(frozen=True)
class Checked:
    """A dataset that has been read. `fingerprint` is a sha256 over the ids and masks of all `total` samples; `broken`
    maps the samples that cannot be used to the reason.
    """

    dataset: EvaluationDataset
    total: int
    fingerprint: str
    broken: dict[str, str]


def survey(dataset: EvaluationDataset, limit: int | None, progress: Progress) -> Checked:
    """Read every mask, and the images of the first `limit` samples (None: of all), of which alone faults are told.

    Raises `DatasetError` where there are no samples, or two of one id.
    """
    total = len(dataset)
    ids = [dataset.sample_id(i) for i in range(total)]
    if total == 0:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place} has no samples; `iiszoo show` says what it must hold"
        )
    twice = sorted(id for id, n in Counter(ids).items() if n > 1)
    if twice:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place}: two samples share one id, so that results could not be told "
            f"apart: {', '.join(twice)}; rename their files"
        )
    fingerprint = hashlib.sha256()
    broken: dict[str, str] = {}
    selected = range(total if limit is None else min(limit, total))

    def inspect(i: int) -> Inspection:
        return dataset.inspect(i, with_image=i in selected)

    with ThreadPoolExecutor(_READERS, "check") as readers:
        for i, inspection in enumerate(readers.map(inspect, range(total))):
            fingerprint.update(for_hash(f"{ids[i]} {inspection.digest}\n"))
            if inspection.fault is not None and i in selected:
                broken[ids[i]] = inspection.fault
            progress(i + 1, total)
    return Checked(dataset, total, fingerprint.hexdigest(), broken)


def check(dataset: EvaluationDataset, limit: int | None, skip_broken: bool, progress: Progress) -> Checked:
    """`survey` for a run. Raises `DatasetError` that lists every sample that cannot be evaluated, unless `skip_broken`,
    and in any case where none can.
    """
    found = survey(dataset, limit, progress)
    selected = found.total if limit is None else min(limit, found.total)
    if len(found.broken) == selected or (found.broken and not skip_broken):
        listed = "\n  ".join(found.broken.values())
        way_out = "mend them" if skip_broken else "mend them, or leave them out with --skip-broken"
        raise DatasetError(
            f"dataset {dataset.name}: {len(found.broken)} of {selected} samples cannot be used; {way_out}:\n  {listed}"
        )
    return found


def differences(card: DatasetCard, n_samples: int | None, fingerprint: str | None) -> list[str]:
    """What tells a copy of a dataset from the published one, by number of samples and fingerprint (None: not known)."""
    found = []
    if None not in (n_samples, card.n_samples) and n_samples != card.n_samples:
        found.append(f"{n_samples} samples instead of {card.n_samples}")
    if None not in (fingerprint, card.fingerprint) and fingerprint != card.fingerprint:
        found.append(f"the masks' fingerprint is {fingerprint}, but that of the published set is {card.fingerprint}")
    return found


def verify(dataset: EvaluationDataset, card: DatasetCard, progress: Progress) -> int | None:
    """Hold a dataset that was just fetched against what its card states, samples and masks; the number of samples, None
    where the card states none: to count them may take long.

    Raises `DatasetError` that says in what it differs.
    """
    n_samples = None if card.n_samples is None else len(dataset)
    fingerprint = None if card.fingerprint is None else survey(dataset, 0, progress).fingerprint
    if found := differences(card, n_samples, fingerprint):
        raise DatasetError("; ".join(found))
    return n_samples
