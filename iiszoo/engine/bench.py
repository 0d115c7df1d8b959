"""`iiszoo bench`: every model on every dataset under one evaluation protocol, in run directories that can resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iiszoo.builtin.datasets import DEFAULT as DEFAULT_DATASET
from iiszoo.builtin.models import CUDA_GRAPHS_OPTION, PRECISION_OPTION
from iiszoo.builtin.models import DEFAULT as DEFAULT_MODEL
from iiszoo.data.initial_masks import with_initial
from iiszoo.device import check_device
from iiszoo.engine.bench_run import Listener, Run, Settings, execute, prepare
from iiszoo.engine.comparison.samples import limited
from iiszoo.engine.evaluation_protocol import EvaluationProtocol, load_protocol
from iiszoo.engine.executors import Executor, InProcess, Processes
from iiszoo.engine.executors.main_program import refuse_unguarded
from iiszoo.engine.robots import RobotReference, robot_interpreter
from iiszoo.engine.runs import provenance, run_name, store
from iiszoo.engine.runs.dataset_identity import identity_of
from iiszoo.engine.runs.summary import read
from iiszoo.errors import BadOption, DatasetError, RunError
from iiszoo.loading import load_dataset
from iiszoo.model_reference import ModelReference, ModelSpec, resolve, with_flags
from iiszoo.models.merge_rule import MERGE
from iiszoo.models.runtime import RUNTIME
from iiszoo.registry import resolve_dataset
from iiszoo.remote import Interpreter


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
    ready = prepare(left, robot, robot_elsewhere, how, listener)
    for run in runs:
        if run not in finished:
            finished[run] = execute(ready[run], how, listener)
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
