"""The check of a whole dataset before a run: all broken samples are reported at once, by file name."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from iiszoo import units
from iiszoo.cards import DatasetCard
from iiszoo.data.base import EvaluationDataset
from iiszoo.data.inspection import UNSEEN, Inspection, file_digest, image_digest, inspect, seen_image
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError, raised_as
from iiszoo.file_names import for_hash
from iiszoo.progress import Progress

_READERS = 2


@dataclass(frozen=True)
class Checked:
    """A dataset that has been read.

    `ids` are the ids of all samples, `groups` their indices by image. `fingerprint` is a sha256 over the ids, images
    and targets of all samples, `initial` one over the ids and the masks that sessions start from, None if there are
    none (the rule is in `iiszoo.data.inspection`). `broken` maps unusable samples to the reason, `error` is the first
    that reading them raised.
    """

    dataset: EvaluationDataset
    ids: list[str]
    groups: list[list[int]]
    fingerprint: str
    initial: str | None
    broken: dict[str, str]
    error: DatasetError | None = None

    @property
    def total(self) -> int:
        """The number of samples."""
        return len(self.ids)


def survey(dataset: EvaluationDataset, limit: int | None, progress: Progress) -> Checked:
    """Read every mask and hash every image. Faults are reported for the first `limit` samples only (None: for all),
    whose images are also decoded, once each.

    Raises `DatasetError` if there are no samples, or two with the same id.
    """
    with raised_as(DatasetError, f"the samples of dataset {dataset.name} cannot be listed"):
        ids = [sample.id for sample in dataset]
    total = len(ids)
    if total == 0:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place} has no samples; `iiszoo show` says what it must contain"
        )
    twice = sorted(id for id, n in Counter(ids).items() if n > 1)
    if twice:
        raise DatasetError(
            f"dataset {dataset.name} in {dataset.place}: several samples share an id, so their results would be mixed "
            f"up: {', '.join(twice)}; rename their files"
        )
    groups = by_image(dataset)
    selected = range(total if limit is None else min(limit, total))
    hash_file = functools.cache(file_digest)

    def look_at(group: Sequence[int]) -> tuple[str, list[Inspection]]:
        """The samples of one image."""
        first = dataset[group[0]]
        seen = seen_image(first) if any(i in selected for i in group) else UNSEEN
        return image_digest(first, hash_file), [inspect(dataset[i], seen if i in selected else UNSEEN) for i in group]

    found: dict[int, Inspection] = {}
    images: dict[int, str] = {}
    with ThreadPoolExecutor(_READERS, "check") as readers:
        for group, (image, inspections) in zip(groups, readers.map(look_at, groups), strict=True):
            for i, inspection in zip(group, inspections, strict=True):
                found[i], images[i] = inspection, image
                progress(len(found), total)
    every = [found[i] for i in range(total)]
    initial = [one.initial or "nothing" for one in every]
    return Checked(
        dataset,
        ids,
        groups,
        _joined(f"{id} {images[i]} {every[i].target}" for i, id in enumerate(ids)),
        _joined(map(" ".join, zip(ids, initial, strict=True))) if any(one.initial for one in every) else None,
        {ids[i]: fault for i in selected if (fault := every[i].fault) is not None},
        next((error for i in selected if (error := every[i].error) is not None), None),
    )


def _joined(lines: Iterable[str]) -> str:
    content = hashlib.sha256()
    for line in lines:
        content.update(for_hash(f"{line}\n"))
    return content.hexdigest()


def survey_for_run(dataset: EvaluationDataset, limit: int | None, skip_broken: bool, progress: Progress) -> Checked:
    """`survey` for a run. Raises `DatasetError` that lists every sample that cannot be evaluated, unless `skip_broken`,
    and in any case if none can.
    """
    found = survey(dataset, limit, progress)
    selected = found.total if limit is None else min(limit, found.total)
    if len(found.broken) == selected or (found.broken and not skip_broken):
        listed = "\n  ".join(found.broken.values())
        remedy = "fix them" if skip_broken else "fix them, or leave them out with --skip-broken"
        broken = f"{len(found.broken)} of {units.number_of(selected, 'sample')} cannot be used"
        raise DatasetError(f"dataset {dataset.name}: {broken}; {remedy}:\n  {listed}") from found.error
    return found


def differences(card: DatasetCard, n_samples: int | None, fingerprint: str | None) -> list[str]:
    """How a copy of a dataset differs from the published one, in number of samples and fingerprint (None: unknown)."""
    found = []
    if n_samples is not None and card.n_samples not in (None, n_samples):
        found.append(f"{units.number_of(n_samples, 'sample')} instead of {card.n_samples}")
    if None not in (fingerprint, card.fingerprint) and fingerprint != card.fingerprint:
        found.append(f"the fingerprint is {fingerprint}, but that of the published set is {card.fingerprint}")
    return found


def verify(dataset: EvaluationDataset, card: DatasetCard, progress: Progress) -> int | None:
    """Compare a dataset that was just fetched with its card: number of samples and fingerprint. Returns the number,
    None if the card states none: counting may take long.

    Raises `DatasetError` that says what differs.
    """
    n_samples = None if card.n_samples is None else len(dataset)
    fingerprint = None if card.fingerprint is None else survey(dataset, 0, progress).fingerprint
    if found := differences(card, n_samples, fingerprint):
        raise DatasetError("; ".join(found))
    return n_samples
