"""The runs of a benchmark: all that they need is checked, then sessions run and each trace is stored as it ends."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.executors import Executor, InProcess, Job
from iiszoo.engine.first_turn import compile_beside, wait_for_compilers
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs import provenance, store
from iiszoo.engine.runs.dataset_check import Checked, survey_for_run
from iiszoo.engine.runs.dataset_identity import identity_of
from iiszoo.engine.runs.summary import summarise
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, RunError
from iiszoo.file_names import escaped
from iiszoo.loading import load_dataset
from iiszoo.model_reference import ModelReference


@dataclass(frozen=True, eq=False)
class Run:
    """One (model, dataset, evaluation protocol): what to compute and where to store it."""

    model: ModelReference
    dataset: str
    rules: ResolvedProtocol
    directory: Path
    identity: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's resolved name."""
        return self.model.name

    def statement(self) -> dict[str, Any]:
        """The content of `run.json`: the identity, and the protocol with its name, which identifies nothing."""
        return {**self.identity, "protocol": self.rules.as_json()}


class Listener:
    """Callbacks for a benchmark's progress; the base class ignores them."""

    def checking(self, dataset: str, done: int, total: int) -> None:
        """Samples of a dataset have been read and checked."""

    def fetching(self, filename: str, done: int, total: int | None) -> None:
        """Bytes of a weights file have arrived."""

    def started(self, run: Run, done: Sequence[Trace], total: int) -> None:
        """A run begins; the traces `done`, of `total`, already exist."""

    def ended_sample(self, run: Run, trace: Trace) -> None:
        """A session has ended."""

    def ended(self, run: Run, summary: dict[str, Any]) -> None:
        """A run has ended, or was already complete."""


@dataclass(frozen=True)
class Settings:
    """How runs are carried out, apart from model and evaluation protocol. Raises `BadOption` for an invalid value."""

    root: Path | None = None
    device: str = "cpu"
    batch_size: int = 1
    executor: Executor = field(default_factory=InProcess)
    shard: tuple[int, int] = (1, 1)
    limit: int | None = None
    overwrite: bool = False
    skip_broken: bool = False
    keep_going: bool = False

    def __post_init__(self) -> None:
        counts = {"batch size": self.batch_size, "limit": self.limit}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise BadOption(f"the {name} must be at least 1, not {value}")
        if self.overwrite and self.shard != (1, 1):
            raise BadOption("a shard cannot overwrite: that would discard the other shards; give another --out")
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise BadOption(f"shard {self.shard[0]}/{self.shard[1]} must be i/n with i from 1 to n")


@dataclass(frozen=True)
class Ready:
    """A run that has passed every check; `elsewhere` is what another interpreter or machine reports of itself."""

    run: Run
    checked: Checked
    job: Job
    elsewhere: provenance.Elsewhere


def prepare(
    runs: Sequence[Run], robot: RobotReference, robot_elsewhere: provenance.Elsewhere, how: Settings, listener: Listener
) -> dict[Run, Ready]:
    """Check everything that the runs need: data, weights, models, directories. No run directory is written to."""
    if runs:
        compile_beside(runs[0].dataset, how.root)
    checked: dict[str, Checked] = {}
    for run in runs:
        if run.dataset not in checked:
            dataset = load_dataset(run.dataset, how.root)
            checked[run.dataset] = survey_for_run(
                dataset, how.limit, how.skip_broken, partial(listener.checking, run.dataset)
            )
            robot.check_samples(checked[run.dataset].ids, run.dataset)
    ready: dict[Run, Ready] = {}
    for run in runs:
        fetched = run.model.fetch(listener.fetching)
        data = checked[run.dataset]
        identity = {
            **run.identity,
            "model": fetched.identity(),
            **identity_of(run.dataset, data.total, data.fingerprint, data.initial),
        }
        run_known = replace(run, model=fetched, identity=identity)
        if not how.overwrite:
            store.check_identity(run.directory, identity)
        job = Job(fetched, how.device, run.dataset, how.root, run.rules, how.batch_size, how.keep_going, robot)
        elsewhere = {**how.executor.prepare(job, data.dataset), **robot_elsewhere}
        ready[run] = Ready(run_known, data, job, elsewhere)
    wait_for_compilers()
    return ready


def execute(ready: Ready, how: Settings, listener: Listener) -> dict[str, Any]:
    """Run the sessions that are left, and return the summary of all. Raises an `IISZooError`; what was done is kept."""
    run, checked = ready.run, ready.checked
    began = now()
    environment = provenance.environment(how.device, how.executor.threads, ready.elsewhere)
    with store.begin(run.directory, run.statement(), how.shard, overwrite=how.overwrite) as writer:
        done = store.read_traces(run.directory)
        groups = _left(checked, {trace.sample for trace in done}, how)
        listener.started(run, done, len(done) + sum(map(len, groups)))

        def emit(trace: Trace) -> None:
            writer.append(trace)
            listener.ended_sample(run, trace)

        try:
            how.executor.run(ready.job, groups, emit)
        except BaseException:
            with suppress(RunError):  # what stopped the run matters more than a summary that can be derived again
                writer.restore()
                write_summary(run, checked, environment, began, how.root)
            raise
        writer.restore()
        summary = write_summary(run, checked, environment, began, how.root)
    return {**summary, "directory": str(run.directory)}


def _left(checked: Checked, known: set[str], how: Settings) -> list[list[int]]:
    """The samples of this shard that remain to be run, grouped by image."""

    def remains(i: int) -> bool:
        sample = checked.ids[i]
        return sample not in known and sample not in checked.broken and (how.limit is None or i < how.limit)

    mine = checked.groups[how.shard[0] - 1 :: how.shard[1]]
    return [left for group in mine if (left := [i for i in group if remains(i)])]


def write_summary(
    run: Run, checked: Checked, environment: dict[str, Any], began: str, root: Path | None
) -> dict[str, Any]:
    """`times.invocations` are the (began, ended) of every invocation that worked on the run."""
    data = {
        "dataset_place": escaped(str(checked.dataset.place.resolve())),
        "dataset_root": None if root is None else escaped(str(root.resolve())),
        "dataset_stamp": checked.dataset.stamp(),
    }
    with store.alone(run.directory):  # otherwise a shard that ends now may overwrite the summary without our lines
        summary = summarise(run.statement(), store.read_traces(run.directory), checked.broken)
        before = store.read_summary(run.directory).get("times", {}).get("invocations", [])
        summary["times"]["invocations"] = [*before, [began, now()]]
        summary["provenance"] = {**run.statement(), **data, "environment": environment}
        store.write_json(run.directory / store.SUMMARY, summary)
    return summary


def now() -> str:
    """The time, UTC, in ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
