"""The dataset under check, and the samples of it that are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iiszoo.cards import DatasetCard
from iiszoo.data.base import EvaluationDataset, Sample
from iiszoo.data.roots import NotFound
from iiszoo.loading import load_dataset
from iiszoo.plugins import Kind
from iiszoo.registry import resolve_dataset
from iiszoo.testing.check import NotApplicable, Outcome

N_READ = 12
"""How many samples are read, at even distances from the first to the last."""


class Digests(NamedTuple):
    """Hashes of what a sample reads; `initial` is "" if there is no initial mask."""

    image: str
    target: str
    initial: str


@dataclass(eq=False)
class DatasetSubject:
    """One dataset under check: a name, or a loaded dataset, which has no card. `root` is that of `load_dataset`.

    `timeout`: seconds for reading the samples in threads or in another process, its start included.
    """

    what: str | EvaluationDataset
    root: Path | None = None
    timeout: float = 120.0
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return "dataset"

    @property
    def name(self) -> str:
        return self.what if isinstance(self.what, str) else str(getattr(self.what, "name", type(self.what).__name__))

    @property
    def card(self) -> DatasetCard | None:
        return resolve_dataset(self.what)[0] if isinstance(self.what, str) else None

    @property
    def meaningful(self) -> bool:
        return True

    @cached_property
    def dataset(self) -> EvaluationDataset:
        """The dataset, loaded once. Raises `NotApplicable` if its files are not on this machine."""
        try:
            return self.again()
        except NotFound as error:
            if self.root is not None:
                raise
            raise NotApplicable(str(error)) from error

    def again(self) -> EvaluationDataset:
        """The dataset, loaded anew if it has a name."""
        return load_dataset(self.what, self.root) if isinstance(self.what, str) else self.what

    @cached_property
    def samples(self) -> list[Sample]:
        """The samples to read, and the first two of up to three images that several samples share."""
        every = list(self.dataset)
        chosen = {int(i) for i in np.linspace(0, len(every) - 1, min(N_READ, len(every))).round()}
        by_image: dict[str, list[int]] = {}
        for i, sample in enumerate(every):
            by_image.setdefault(sample.image_id, []).append(i)
        for shared in [indices[:2] for indices in by_image.values() if len(indices) > 1][:3]:
            chosen.update(shared)
        return [every[i] for i in sorted(chosen)]

    @cached_property
    def digests(self) -> list[Digests]:
        """Those of each of `samples`, read once."""
        return [digests_of(sample) for sample in self.samples]

    def release(self) -> None:
        """Free what was read; the outcomes of the checks are kept."""
        for name in ("dataset", "samples", "digests"):
            self.__dict__.pop(name, None)


def digests_of(sample: Sample) -> Digests:
    """Read image, target and initial mask, and hash them. Raises what reading them raises."""
    initial = sample.read_initial_mask()
    return Digests(
        _digest(sample.read_image()), _digest(*sample.read_target()), "" if initial is None else _digest(initial)
    )


def read_anew(what: str | EvaluationDataset, root: Path | None) -> tuple[list[str], list[Digests]]:
    """The ids of all samples, and the hashes of those that are read: for another process."""
    subject = DatasetSubject(what, root)
    return [sample.id for sample in subject.dataset], subject.digests


def _digest(*arrays: Any) -> str:
    content = hashlib.sha256()
    for array in arrays:
        if array is not None:
            array = np.asarray(array)
            content.update(f"{array.dtype} {array.shape}\n".encode())
            content.update(array.tobytes())
    return content.hexdigest()
