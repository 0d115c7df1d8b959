"""`iiszoo bench`: every model on every dataset under one evaluation protocol, in run directories that can resume."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from iiszoo.builtin.datasets import DEFAULT as DEFAULT_DATASET
from iiszoo.builtin.models import CUDA_GRAPHS_OPTION, PRECISION_OPTION
from iiszoo.builtin.models import DEFAULT as DEFAULT_MODEL
from iiszoo.data.initial_masks import with_initial
from iiszoo.device import check_device
from iiszoo.engine.comparison.samples import limited
from iiszoo.engine.evaluation_protocol import EvaluationProtocol, ResolvedProtocol, load_protocol
from iiszoo.engine.executors import Executor, InProcess, Job, Processes
from iiszoo.engine.executors.main_program import refuse_unguarded
from iiszoo.engine.first_turn import compile_beside, wait_for_compilers
from iiszoo.engine.robots import RobotReference, robot_interpreter
from iiszoo.engine.runs import provenance, run_name, store
from iiszoo.engine.runs.dataset_check import Checked, survey_for_run
from iiszoo.engine.runs.dataset_identity import identity_of
from iiszoo.engine.runs.summary import read, summarise
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, DatasetError, RunError
from iiszoo.file_names import escaped
from iiszoo.loading import load_dataset
from iiszoo.model_reference import ModelReference, ModelSpec, resolve, with_flags
from iiszoo.models.merge_rule import MERGE
from iiszoo.models.runtime import RUNTIME
from iiszoo.registry import resolve_dataset
from iiszoo.remote import Interpreter


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


def bench(
    models: ModelSpec | Sequence[ModelSpec] = DEFAULT_MODEL,
    datasets: str | Sequence[str] = DEFAULT_DATASET,
    *,
    protocol: str | EvaluationProtocol = "standard",
    robot: str | None = None,
    max_clicks: int | None = None,
    target_iou: float | None = None,
    threshold: float | None = None,
    seed: int | None = None,
    initial: str | None = None,
    progressive_merge: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    cuda_graphs: bool | None = None,
    options: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    python: str | Path | None = None,
    python_timeout: float = 300,
    robot_python: str | Path | None = None,
    out: str | Path | None = None,
    root: str | Path | None = None,
    device: str = "cpu",
    batch_size: int = 1,
    n_workers: int = 1,
    executor: Executor | None = None,
    shard: tuple[int, int] = (1, 1),
    limit: int | None = None,
    overwrite: bool = False,
    skip_broken: bool = False,
    keep_going: bool = False,
    listener: Listener | None = None,
) -> list[dict[str, Any]]:
    """Run every model on every dataset and return a summary for each pair, models first.

    Args:
        models: ids, `"module:function"` or callables of the standard format.
        datasets: ids, with argument and options if they have any (`folder:DIR?objects=values`).
        protocol: the evaluation protocol: a preset, a TOML file or an `EvaluationProtocol`; `robot`, `max_clicks`,
            `target_iou`, `threshold` and `seed` override single rules.
        initial: the masks that sessions start from, an option of every dataset (`iiszoo.data.initial_masks`).
        progressive_merge: `"published"` or `"fixed"`, an option of every model (`iiszoo.models.merge`).
        runtime: `"onnx"` or `"torch"`, an option of models whose networks can be exported (`iiszoo.models.runtime`).
        precision: `"float32"`, `"tf32"`, `"bfloat16"` or `"float16"`, an option of models on torch.
        cuda_graphs: whether kernels are launched at once on a GPU, likewise (`iiszoo.models.compute`).
        options: further options of the models.
        checkpoint: your own weights file, for a single model.
        python: the interpreter that runs the models, if it is not this one (`iiszoo.remote`).
        python_timeout: seconds after which a call in another interpreter counts as hung.
        robot_python: the interpreter that runs the robot, which may then be `"module:function"` there.
        out: the output directory, by default `runs/PROTOCOL` (with a hash appended if single rules are overridden).
            Samples of the same run that it contains are not computed again; a directory of another run is refused.
        root: the dataset's directory, or one that contains datasets under their ids.
        device: the device that the models run on.
        batch_size: sessions per model call.
        n_workers: processes, each with its own model and one torch thread.
        executor: where sessions are computed, instead: `iiszoo.engine.executors.ray_cluster.OnRay`, for many machines.
        shard: (i, n): run part i of n; all parts share one `out`.
        limit: the number of samples to run of each dataset, from its first, and that the summaries are of; None: all.
        overwrite: discard the runs' results in `out`.
        skip_broken: leave out broken samples.
        keep_going: count a sample on which the model fails as a failure, and continue.
        listener: receives the benchmark's progress.

    Every id, device, dataset, model and directory is checked before anything is written.

    A summary is a dict: `model`, `dataset`, `protocol`, `n_samples`, `n_done`, `n_failed`, `complete`, `skipped`,
    `metrics` and `times` (`engine.metrics.metrics_of` and `times_of`), `provenance`, `directory`.

    Raises the matching kind of `IISZooError` for everything that a user can fix.
    """
    refuse_unguarded()
    how = Settings(
        Path(root) if root else None,
        device,
        batch_size,
        _executor(executor, n_workers),
        shard,
        limit,
        overwrite,
        skip_broken,
        keep_going,
    )
    changes = {"robot": robot, "max_clicks": max_clicks, "target_iou": target_iou, "threshold": threshold, "seed": seed}
    rules = load_protocol(protocol, **changes)
    robot_of_rules = RobotReference(rules.robot, robot_interpreter(robot_python, python_timeout))
    version, robot_elsewhere = robot_of_rules.known()
    rules = replace(rules, robot_version=version)
    flags = {
        MERGE: progressive_merge,
        RUNTIME: runtime,
        PRECISION_OPTION.name: precision,
        CUDA_GRAPHS_OPTION.name: cuda_graphs,
    }
    names = _dataset_names(datasets, initial)
    interpreter = None if python is None else Interpreter(str(python), python_timeout)
    references = _references(models, checkpoint, options or {}, flags, interpreter)
    place = Path(out) if out is not None else Path("runs") / _folder(rules)
    runs = [_plan(model, dataset, rules, place) for model in references for dataset in names]
    _refuse_rivals(runs)
    summaries = _carried_out(
        runs, robot_of_rules, robot_elsewhere, how, listener or Listener(), models_here=interpreter is None
    )
    return [_of_first(summary, limit) for summary in summaries]


def _dataset_names(datasets: str | Sequence[str], initial: str | None) -> list[str]:
    """The datasets with their initial masks. Raises `BadOption` for one that is not known."""
    names = [with_initial(dataset, initial) for dataset in ([datasets] if isinstance(datasets, str) else datasets)]
    for name in names:
        resolve_dataset(name)
    return names


def _references(
    models: ModelSpec | Sequence[ModelSpec],
    checkpoint: str | Path | None,
    options: Mapping[str, Any],
    flags: Mapping[str, Any],
    interpreter: Interpreter | None,
) -> list[ModelReference]:
    """The models with their options; `flags` are those that are None where they were not given. Raises `BadOption`."""
    chosen = [models] if isinstance(models, str) or callable(models) else list(models)
    if checkpoint is not None and len(chosen) != 1:
        raise BadOption("a checkpoint needs exactly one model; give one model with it")
    return [resolve(model, checkpoint, {**options, **with_flags(model, flags)}, interpreter) for model in chosen]


def _carried_out(
    runs: Sequence[Run],
    robot: RobotReference,
    robot_elsewhere: provenance.Elsewhere,
    how: Settings,
    listener: Listener,
    *,
    models_here: bool,
) -> list[dict[str, Any]]:
    """The summary of each run; those that are not finished yet are checked, all of them, and then run.

    `models_here`: the models run in this interpreter. Raises as `bench`.
    """
    finished = {} if how.overwrite else {run: summary for run in runs if (summary := _finished(run, how)) is not None}
    left = [run for run in runs if run not in finished]
    if left and models_here and how.executor.here:
        check_device(how.device)
    ready = _prepare(left, robot, robot_elsewhere, how, listener)
    for run in runs:
        if run not in finished:
            finished[run] = _execute(ready[run], how, listener)
        listener.ended(run, finished[run])
    for run in runs:
        if not store.is_there(run.directory):
            raise RunError(
                f"{run.directory} was deleted while other runs were in progress; run the same command again to repeat "
                "its run"
            )
    return [finished[run] for run in runs]


def _executor(executor: Executor | None, n_workers: int) -> Executor:
    """The given one; else this process, or so many others. Raises `BadOption` if both are given."""
    if executor is None:
        return InProcess() if n_workers == 1 else Processes(n_workers)
    if n_workers != 1:
        raise BadOption("an executor has its own number of workers; give it that, not n_workers")
    return executor


def _of_first(summary: dict[str, Any], limit: int | None) -> dict[str, Any]:
    """The summary on the first `limit` samples: the run may have done more before."""
    if limit is None or summary["n_done"] <= limit:
        return summary
    return limited([read(Path(summary["directory"]))], limit)[0][0]


def _folder(rules: EvaluationProtocol) -> str:
    """The protocol's name, with its hash if single rules are overridden or the name had to be changed."""
    plain = run_name.plain_name(rules.name.removesuffix("+"))
    return plain if plain == rules.name else f"{plain}-{rules.hash}"


def _plan(model: ModelReference, dataset: str, rules: EvaluationProtocol, place: Path) -> Run:
    resolved = rules.resolved(model.threshold)
    identity = {
        "format": store.FORMAT,
        "model": model.identity(),
        "protocol": {rule: value for rule, value in resolved.as_json().items() if rule != "name"},
        **identity_of(dataset),
    }
    return Run(model, dataset, resolved, place / run_name.slug(model.name, dataset), identity)


def _refuse_rivals(runs: Sequence[Run]) -> None:
    by_place: dict[Path, Run] = {}
    for run in runs:
        rival = by_place.setdefault(run.directory, run)
        if rival is not run:
            raise BadOption(
                f"{run.name} on {run.dataset} and {rival.name} on {rival.dataset} would share the directory "
                f"{run.directory}; give each model and dataset once, or run the second with another --out"
            )


def _finished(run: Run, how: Settings) -> dict[str, Any] | None:
    """The summary of a run that has every requested sample, else None; neither model nor data is loaded."""
    if not store.check_identity(run.directory, run.identity):
        return None
    summary, traces = read(run.directory)
    if store.read_summary(run.directory).get("n_done") != len(traces):
        return None  # it was stopped before its summary was written
    if summary["skipped"] and (not how.skip_broken or how.limit is not None):
        return None
    wanted = summary["n_samples"] if how.limit is None else min(how.limit, summary["n_samples"])
    there = sum(trace.index < wanted for trace in traces) + len(summary["skipped"])
    return summary if there >= wanted and _unchanged(run, summary, how) else None


def _unchanged(run: Run, summary: dict[str, Any], how: Settings) -> bool:
    """Whether the dataset's files have the names, sizes and times that they had; no file is opened. True if the dataset
    cannot be read; if it looks different, its fingerprint decides.
    """
    try:
        stamp = load_dataset(run.dataset, how.root).stamp()
    except DatasetError:
        return True
    return bool(stamp == summary["provenance"].get("dataset_stamp"))


@dataclass(frozen=True)
class Ready:
    """A run that has passed every check; `elsewhere` is what another interpreter or machine reports of itself."""

    run: Run
    checked: Checked
    job: Job
    elsewhere: provenance.Elsewhere


def _prepare(
    runs: Sequence[Run], robot: RobotReference, robot_elsewhere: provenance.Elsewhere, how: Settings, listener: Listener
) -> dict[Run, Ready]:
    """Check everything that the runs need: data, weights, models, directories. No run directory is written to."""
    checked: dict[str, Checked] = {}
    for run in runs:
        if run.dataset not in checked:
            dataset = load_dataset(run.dataset, how.root)
            if not checked:
                compile_beside(run.dataset, how.root)
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


def _execute(ready: Ready, how: Settings, listener: Listener) -> dict[str, Any]:
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
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
