"""A run spread over processes of this machine, each with one torch thread, its own model and its own images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Held, Job, interpreter_of
from iiszoo.engine.executors.main_program import check_portable
from iiszoo.engine.executors.process_run import ProcessRun
from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.runs.provenance import Elsewhere


@dataclass(eq=False)
class Processes:
    """Runs jobs in `n_workers` processes, started for each. Raises `BadOption` for an invalid number."""

    n_workers: int
    _held: Held = field(default_factory=Held)
    threads = 1
    here = True

    def __post_init__(self) -> None:
        if self.n_workers < 1:
            raise BadOption(f"the number of workers must be at least 1, not {self.n_workers}")

    def prepare(self, job: Job, dataset: EvaluationDataset) -> Elsewhere:
        check_portable(job)
        self._held.keep(job, dataset)
        return interpreter_of(self._held.model(job))  # a failure to load is reported before anything runs

    def run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> None:
        """As `Executor.run`. What a worker that dies had is run again in another; a sample whose worker dies a second
        time counts as failed. Raises `RunError` if every new worker dies.
        """
        job.robot.release()
        self._held.drop_model()  # the workers need its memory
        ProcessRun(job, lambda: job.samples_of(self._held.dataset(job)), groups, emit, self.n_workers).run()
