"""What a bench and a campaign ask of an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.executors.job import Job
    from iiszoo.engine.runs.provenance import Elsewhere
    from iiszoo.engine.runs.trace import Trace

Emit = Callable[["Trace"], None]
"""Called in the process and thread that called `Executor.run`, once a sample, as its session ends."""


class Executor(Protocol):
    """Computes the sessions of jobs, one job at a time."""

    @property
    def threads(self) -> int:
        """torch's threads in each process that runs the model."""

    @property
    def here(self) -> bool:
        """Whether models run on this machine, whose devices can be checked from here."""

    def prepare(self, job: Job, dataset: EvaluationDataset) -> Elsewhere:
        """Check that the job can be run, before anything is written; `dataset` is the job's, as loaded here. Returns
        what another interpreter or machine reports about itself, if one runs the model; else {}.

        Raises an `IISZooError`.
        """

    def run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> None:
        """Run a session for every sample of `groups`: indices into the job's dataset, one list an image.

        Raises an `IISZooError` of the model, the robot or the dataset; traces emitted before it count.
        """
