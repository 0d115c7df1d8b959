"""A job: everything that a process needs to run sessions, wherever it runs."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import errors
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, IISZooError, text_of, with_place
from iiszoo.loading import load_dataset
from iiszoo.model_reference import ModelReference
from iiszoo.remote import report_of
from iiszoo.tracebacks import RemoteTraceback, as_text

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.runs.provenance import Elsewhere
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class Job:
    """Everything that a process needs to run sessions. `robot` is that of the `rules`."""

    model: ModelReference
    device: str
    dataset: str
    root: Path | None
    rules: ResolvedProtocol
    batch_size: int
    keep_going: bool
    robot: RobotReference

    def load_model(self) -> Model:
        """The model on its device, for the threshold of the run. Raises an `IISZooError`."""
        return self.model.load(self.device, self.rules.threshold)

    def load_dataset(self) -> EvaluationDataset:
        """The dataset by its name. Raises an `IISZooError`."""
        return load_dataset(self.dataset, self.root)

    def samples_of(self, dataset: EvaluationDataset) -> EvaluationDataset:
        """The samples that the groups count, of the dataset that `load_dataset` returns: all of them."""
        return dataset

    def files(self) -> tuple[Path, ...]:
        """Files beside the model's and the dataset's own that it reads."""
        return ()

    def with_files(self, places: dict[Path, Path]) -> Job:
        """The job with those files where another machine has them."""
        return self

    def run(
        self, model: Model, samples: EvaluationDataset, groups: Iterable[list[int]], emit: Callable[[Trace], None]
    ) -> None:
        """Run every sample of `groups` in this process. What is known of a proposal that a session started from
        (`samples.take`) goes into its trace.
        """
        from iiszoo.engine import pipeline

        take = getattr(samples, "take", None)

        def emit_with_proposal(trace: Trace) -> None:
            if take is not None and trace.error is None:
                trace.proposal = take(trace.sample)
            emit(trace)

        pipeline.run(
            model,
            self.robot.load(),
            samples,
            groups,
            self.rules,
            emit_with_proposal,
            batch_size=self.batch_size,
            keep_going=self.keep_going,
        )


def interpreter_of(model: Model) -> Elsewhere:
    """What another interpreter reports about itself, if the model runs in one."""
    report = report_of(model)
    return {} if report is None else {"worker": report}


@dataclass
class Held:
    """The model, the datasets and the robot of the jobs before in this process: a job that has the same loads none of
    them again.
    """

    _model: tuple[Any, Model] | None = field(default=None, repr=False)
    _datasets: dict[Any, EvaluationDataset] = field(default_factory=dict, repr=False)
    _robot: tuple[Any, RobotReference] | None = field(default=None, repr=False)

    def with_robot(self, job: Job) -> Job:
        """The job with its robot, loaded if it is not the last one's. Raises as `RobotReference.load`, and `BadOption`
        if it clicks otherwise here than where the job comes from.
        """
        key = (job.robot.name, job.robot.interpreter, job.rules.robot_version)
        if self._robot is None or self._robot[0] != key:
            version, _ = job.robot.known()
            if version != job.rules.robot_version:
                raise BadOption(
                    f"robot {job.robot.name} has version {version} there, and {job.rules.robot_version} where the run "
                    "was started; install the same iiszoo, plugins and files on every machine"
                )
            self._robot = key, job.robot
        return replace(job, robot=self._robot[1])

    def model(self, job: Job) -> Model:
        """The job's model, loaded if it is not the last one's. Raises as `Job.load_model`."""
        key = (job.model, job.device, job.rules.threshold)
        if self._model is None or self._model[0] != key:
            self.drop_model()  # its memory is needed
            self._model = key, job.load_model()
        return self._model[1]

    def drop_model(self) -> None:
        """Hold the model no longer."""
        self._model = None

    def dataset(self, job: Job) -> EvaluationDataset:
        """The job's dataset; one that is not held is loaded, and replaces those that are. Raises as
        `Job.load_dataset`.
        """
        if (job.dataset, job.root) not in self._datasets:
            self._datasets.clear()
            self.keep(job, job.load_dataset())
        return self._datasets[job.dataset, job.root]

    def keep(self, job: Job, dataset: EvaluationDataset) -> None:
        """Hold the dataset, as the caller has loaded it."""
        self._datasets[job.dataset, job.root] = dataset


class _Pickler(pickle.Pickler):
    """Records the first function or class of the main program that the pickled object needs."""

    found: str | None = None

    def persistent_id(self, thing: Any) -> None:
        named = isinstance(thing, type) or type(thing).__name__ in ("function", "builtin_function_or_method")
        if named and self.found is None and getattr(thing, "__module__", None) == "__main__":
            self.found = thing.__qualname__


def pickled(job: Job) -> tuple[bytes, str | None]:
    """The job as it is sent to other processes, and the first function or class of the main program that it needs.

    Raises `BadOption` if it cannot be sent.
    """
    sent = io.BytesIO()
    pickler = _Pickler(sent)
    try:
        pickler.dump(job)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise BadOption(
            f"a model that is an object of this process cannot be sent to workers ({with_place(error)}); use one "
            "worker, or name the model as 'module:function'"
        ) from error
    return sent.getvalue(), pickler.found


def unpickled(sent: bytes) -> Job:
    """The job in another process. Raises `BadOption` if what it needs is not found there."""
    try:
        job: Job = pickle.loads(sent)
    except BaseException as error:
        raise BadOption(
            f"a worker cannot find or rebuild the model ({with_place(error)}); name it as 'module:function', or use "
            "one worker"
        ) from error
    return job


def portable(error: IISZooError, where: str = "") -> tuple[IISZooError, RemoteTraceback]:
    """The error as one of iiszoo's own classes, `where` it happened before its text, and its traceback in place of its
    cause: both can be pickled.
    """
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    made: IISZooError = kind(where + text_of(error, 10_000))
    return made, as_text(error)
