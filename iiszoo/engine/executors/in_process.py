"""Sessions in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Held, Job, interpreter_of

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.runs.provenance import Elsewhere


@dataclass(eq=False)
class InProcess:
    """Runs jobs in the calling thread, with the model and the dataset that were loaded for the check."""

    _held: Held = field(default_factory=Held)
    here = True

    @property
    def threads(self) -> int:
        return torch.get_num_threads()

    def prepare(self, job: Job, dataset: EvaluationDataset) -> Elsewhere:
        self._held.keep(job, dataset)
        return interpreter_of(self._held.model(job))

    def run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> None:
        model = self._held.model(job)
        job.run(model, job.samples_of(self._held.dataset(job)), groups, emit)
