"""`iiszoo bench`: every model on every dataset under one protocol, kept in run directories, resumed where stopped."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import assets, remote
from iiszoo.builtin.datasets import DEFAULT as DEFAULT_DATASET
from iiszoo.builtin.models import DEFAULT as DEFAULT_MODEL
from iiszoo.data import initial_masks as masks
from iiszoo.engine import provenance, store, workers
from iiszoo.engine.dataset_check import Checked, check
from iiszoo.engine.evaluation_protocol import EvaluationProtocol, load_protocol
from iiszoo.engine.summary import read, summarise
from iiszoo.engine.trace import Trace
from iiszoo.errors import BadOption, DatasetError, RunError
from iiszoo.file_names import escaped
from iiszoo.registry import (
    MERGE,
    check_device,
    check_merge_rule,
    check_options,
    dataset_card,
    is_function,
    load_dataset,
    options_of,
    resolve_model,
    robot_version,
)

if TYPE_CHECKING:
    from iiszoo.protocol import Model
    from iiszoo.remote import Interpreter

ModelSpec = str | Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Run:
    """One (model, dataset, protocol): what is to be computed, and where it is kept. `name` is the resolved model id."""

    model: ModelSpec
    name: str
    dataset: str
    rules: EvaluationProtocol
    directory: Path
    identity: dict[str, Any]

    def statement(self) -> dict[str, Any]:
        """What `run.json` says: the identity, and the protocol with its name, by which nothing is told apart."""
        return {**self.identity, "protocol": self.rules.as_json()}


class Listener:
    """What a bench tells while it goes on; this one listens to nothing."""

    def checking(self, dataset: str, done: int, total: int) -> None:
        """Samples of a dataset have been read and checked."""

    def fetching(self, filename: str, done: int, total: int | None) -> None:
        """Bytes of a weights file have arrived."""

    def started(self, run: Run, done: Sequence[Trace], total: int) -> None:
        """A run begins with the traces `done` of `total` there already."""

    def ended_sample(self, run: Run, trace: Trace) -> None:
        """A session has ended."""

    def ended(self, run: Run, summary: dict[str, Any]) -> None:
        """A run is over, or was found complete."""


@dataclass(frozen=True)
class Settings:
    """How runs are carried out, beside the protocol. Raises `BadOption` where a value makes no sense."""

    root: Path | None = None
    checkpoint: Path | None = None
    device: str = "cpu"
    batch_size: int = 1
    n_workers: int = 1
    shard: tuple[int, int] = (1, 1)
    limit: int | None = None
    overwrite: bool = False
    skip_broken: bool = False
    keep_going: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    interpreter: Interpreter | None = None

    def __post_init__(self) -> None:
        counts = {"batch size": self.batch_size, "number of workers": self.n_workers, "limit": self.limit}
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
    initial_masks: str | Path | None = None,
    initial_mask: str | None = None,
    progressive_merge: str | None = None,
    out: str | Path | None = None,
    root: str | Path | None = None,
    checkpoint: str | Path | None = None,
    python: str | Path | None = None,
    python_timeout: float = 300,
    listener: Listener | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Run every model on every dataset and return a summary for each pair, models first.

    `models` are ids, `"module:function"` or callables of the standard format. `protocol` is a preset, a TOML file or an
    `EvaluationProtocol`; `robot` to `seed` change single rules of it. `initial_masks` is a directory of masks that the
    sessions start from, `initial_mask` says how such masks are made (`perturb:seed=0,iou=0.75-0.85`): either becomes
    part of the datasets' names, as `iiszoo.data.initial_masks` has it. `progressive_merge`, `"published"` or
    `"mended"`, becomes an option of every model (`iiszoo.models.merge`), and part of its name. `out` is the output
    directory, by default `runs/PROTOCOL` (with a hash behind it where single rules were changed). What is there already
    of the same run is not computed again; another run's directory is refused. `python` is the interpreter that the
    models live in, where it is not this one (`iiszoo.remote`), `python_timeout` the seconds after which a call of
    theirs that has not been answered counts as hanging. `settings` are the fields of `Settings`: device, batch_size,
    n_workers, shard (i, n), limit (the first samples only), overwrite, skip_broken, keep_going, options (for the
    model's loader). Nothing is written before every id, device, dataset, model and directory has been found usable.

    A summary is a dict: `model`, `dataset`, `protocol`, `n_samples`, `n_done`, `n_failed`, `complete`, `skipped`,
    `metrics` and `times` (`engine.metrics.summarise` and `summarise_times`), `provenance`, `directory`.

    Raises an `IISZooError` of the fitting kind for everything that a user can mend.
    """
    model_list = [models] if isinstance(models, str) or callable(models) else list(models)
    if progressive_merge is not None:
        check_merge_rule(progressive_merge)
        for model in model_list:
            if isinstance(model, str) and options_of(model)[1].get(MERGE, progressive_merge) != progressive_merge:
                raise BadOption(f"{model} names another merge than --progressive-merge {progressive_merge}; give one")
        settings["options"] = {**settings.get("options", {}), MERGE: progressive_merge}
    interpreter = None if python is None else remote.Interpreter(str(python), python_timeout)
    how = Settings(
        Path(root) if root else None, Path(checkpoint) if checkpoint else None, interpreter=interpreter, **settings
    )
    listener = listener or Listener()
    changes = {"robot": robot, "max_clicks": max_clicks, "target_iou": target_iou, "threshold": threshold, "seed": seed}
    rules = load_protocol(protocol, **changes)
    rules = replace(rules, robot_version=robot_version(rules.robot))
    place = Path(out) if out is not None else Path("runs") / rules.name.replace("+", f"-{rules.hash}")
    dataset_list = [
        masks.full_name(dataset, initial_masks, initial_mask)
        for dataset in ([datasets] if isinstance(datasets, str) else datasets)
    ]
    if how.checkpoint is not None and len(model_list) != 1:
        raise BadOption("a checkpoint belongs to one model; give one model with it")
    runs = [_plan(model, dataset, rules, place, how) for model in model_list for dataset in dataset_list]
    _refuse_rivals(runs)
    finished = {} if how.overwrite else {run: summary for run in runs if (summary := _finished(run, how)) is not None}
    ready = _prepare([run for run in runs if run not in finished], how, listener)
    for run in runs:
        if run not in finished:
            finished[run] = _execute(ready[run], how, listener)
        listener.ended(run, finished[run])
    return [finished[run] for run in runs]


def _plan(model: ModelSpec, dataset: str, rules: EvaluationProtocol, place: Path, how: Settings) -> Run:
    dataset_card(dataset)
    model_identity, threshold = _known_of(model, how)
    if rules.threshold is None:
        rules = replace(rules, threshold=threshold)
    identity = {
        "format": store.FORMAT,
        "model": model_identity,
        "protocol": {rule: value for rule, value in rules.as_json().items() if rule != "name"},
        "dataset": {"id": dataset},
    }
    name: str = model_identity["id"]
    return Run(model, name, dataset, rules, place / store.slug(name, dataset), identity)


def _known_of(model: ModelSpec, how: Settings, *, fetch: bool = False) -> tuple[dict[str, Any], float]:
    """What decides the model's answers, and its own threshold; `fetch`: after another interpreter has its weights."""
    if how.interpreter is not None:
        return remote.identify(model, how.interpreter, how.checkpoint, how.options, fetch=fetch)
    card = getattr(model, "card", None) if is_function(model) else resolve_model(str(model))[0]
    return provenance.model_identity(model, how.checkpoint, how.options), card.threshold if card else 0.5


def _refuse_rivals(runs: Sequence[Run]) -> None:
    by_place: dict[Path, Run] = {}
    for run in runs:
        rival = by_place.setdefault(run.directory, run)
        if rival is not run:
            raise BadOption(
                f"{run.name} on {run.dataset} and {rival.name} on {rival.dataset} would share the directory "
                f"{run.directory}; give each model and dataset once, or the second one another --out"
            )


def _finished(run: Run, how: Settings) -> dict[str, Any] | None:
    """The summary of a run in which all that is wanted is there, found without loading model or data."""
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
    """Whether the dataset's files look as they did: by names, sizes and times, no file is opened. True where the
    dataset is out of reach; where it looks different, its fingerprint decides.
    """
    try:
        stamp = load_dataset(run.dataset, how.root).stamp()
    except DatasetError:
        return True
    return bool(stamp == summary["provenance"].get("dataset_stamp"))


@dataclass(frozen=True)
class Ready:
    """A run that was found possible. `model` is kept where it need not be loaded again; `worker` is what another
    interpreter reports of itself.
    """

    run: Run
    checked: Checked
    job: workers.Job
    model: Model | None
    worker: dict[str, Any] | None


def _prepare(runs: Sequence[Run], how: Settings, listener: Listener) -> dict[Run, Ready]:
    """Check all that the runs need: device, data, weights, models, directories. No run directory is written to."""
    if runs and how.interpreter is None:
        check_device(how.device)
    checked: dict[str, Checked] = {}
    for run in runs:
        if run.dataset not in checked:
            dataset = load_dataset(run.dataset, how.root)
            checked[run.dataset] = check(dataset, how.limit, how.skip_broken, partial(listener.checking, run.dataset))
    names = {run.name for run in runs}
    models: dict[str, Model | None] = {}
    reports: dict[str, dict[str, Any] | None] = {}
    ready: dict[Run, Ready] = {}
    for run in runs:
        _fetch_weights(run, how, listener)
        data = checked[run.dataset]
        identity = {
            **run.identity,
            "model": _known_of(run.model, how, fetch=True)[0],
            "dataset": {"id": run.dataset, "n_samples": data.total, "fingerprint": data.fingerprint},
        }
        run_known = replace(run, identity=identity)
        if not how.overwrite:
            store.check_identity(run.directory, identity)
        job = workers.Job(
            run.model, how.checkpoint, how.device, how.options, run.dataset, how.root, run.rules, how.batch_size,
            how.keep_going, how.interpreter,
        )  # fmt: skip
        if how.n_workers > 1:
            workers.check_portable(job)
        if run.name not in models:  # loaded even if not kept, so that one that cannot be is known before anything runs
            model = job.load_model()
            models[run.name] = model if len(names) == 1 and how.n_workers == 1 else None
            reports[run.name] = getattr(model.function, "report", None) if how.interpreter else None
        ready[run] = Ready(run_known, data, job, models[run.name], reports[run.name])
    return ready


def _fetch_weights(run: Run, how: Settings, listener: Listener) -> None:
    if how.interpreter is None and not is_function(run.model) and how.checkpoint is None:
        card, named = resolve_model(str(run.model))
        check_options(card, {**named, **how.options})
        for file in card.weights:
            assets.fetch(card, file, progress=partial(listener.fetching, file.filename))


def _execute(ready: Ready, how: Settings, listener: Listener) -> dict[str, Any]:
    run, checked = ready.run, ready.checked
    model = ready.model if ready.model is not None or how.n_workers > 1 else ready.job.load_model()
    began = _now()
    environment = provenance.environment(how.device, ready.worker)
    if how.overwrite:
        store.discard(run.directory)
    store.check_identity(run.directory, run.identity)
    store.create(run.directory, run.statement())
    with store.Writer(run.directory, how.shard) as writer:
        done = store.read_traces(run.directory)
        groups = _left(checked, {trace.sample for trace in done}, how)
        listener.started(run, done, len(done) + sum(map(len, groups)))

        def emit(trace: Trace) -> None:
            writer.append(trace)
            listener.ended_sample(run, trace)

        try:
            if model is None:
                workers.run(ready.job, groups, emit, how.n_workers)
            else:
                ready.job.run(model, checked.dataset, iter(groups), emit)
        except BaseException:
            with suppress(RunError):  # what stopped the run matters more than a summary that can be derived again
                _write_summary(run, checked, environment, began)
            raise
        summary = _write_summary(run, checked, environment, began)
    return {**summary, "directory": str(run.directory)}


def _left(checked: Checked, known: set[str], how: Settings) -> list[list[int]]:
    """The samples of this shard that remain to be run, those of one image together."""
    dataset = checked.dataset

    def remains(i: int) -> bool:
        sample = dataset.sample_id(i)
        return sample not in known and sample not in checked.broken and (how.limit is None or i < how.limit)

    mine = dataset.groups()[how.shard[0] - 1 :: how.shard[1]]
    return [left for group in mine if (left := [i for i in group if remains(i)])]


def _write_summary(run: Run, checked: Checked, environment: dict[str, Any], began: str) -> dict[str, Any]:
    """`times.invocations` are the (began, ended) of every invocation that worked on the run."""
    summary = summarise(run.statement(), store.read_traces(run.directory), checked.broken)
    before = store.read_summary(run.directory).get("times", {}).get("invocations", [])
    summary["times"]["invocations"] = [*before, [began, _now()]]
    data = {
        "dataset_place": escaped(str(checked.dataset.place.resolve()), "?"),
        "dataset_stamp": checked.dataset.stamp(),
    }
    summary["provenance"] = {**run.statement(), **data, "environment": environment}
    store.write_json(run.directory / store.SUMMARY, summary)
    return summary


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
