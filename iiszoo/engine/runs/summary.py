"""A run's summary: everything derived from its identity and its traces. `summary.json` is a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iiszoo import units
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs import store
from iiszoo.engine.runs.dataset_identity import name_of
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

Result = tuple[dict[str, Any], list[Trace]]
"""The summary and the traces of a run."""


def summarise(identity: dict[str, Any], traces: Sequence[Trace], skipped: dict[str, str]) -> dict[str, Any]:
    """The summary of traces, in any order. `skipped` maps broken samples to the reason.

    `complete`: every sample of the dataset is done or was skipped; `n_failed`: the number of samples in which the model
    failed.
    """
    rules = ResolvedProtocol.from_json(identity["protocol"])
    total = identity["dataset"]["n_samples"]
    done = {trace.sample for trace in traces}
    skipped = {sample: reason for sample, reason in skipped.items() if sample not in done}
    return {
        "model": identity["model"]["id"],
        "dataset": name_of(identity),
        "protocol": identity["protocol"],
        "n_samples": total,
        "n_done": len(traces),
        "n_failed": sum(trace.error is not None for trace in traces),
        "complete": len(traces) + len(skipped) == total,
        "skipped": skipped,
        "metrics": metrics.metrics_of(traces, rules.max_clicks, rules.target_iou),
        "times": metrics.times_of(traces),
    }


def read(directory: Path) -> Result:
    """The summary of a run directory, derived again from all its traces (of every shard), and the traces.

    Raises `RunError` if the directory contains no run, or a damaged one.
    """
    identity = store.read_identity(directory)
    traces = store.read_traces(directory)
    _check_indices(directory, traces, identity["dataset"]["n_samples"])
    stored = store.read_summary(directory)
    summary = summarise(identity, traces, stored.get("skipped", {}))
    summary["times"] = {**stored.get("times", {}), **summary["times"]}
    summary["provenance"] = {**stored.get("provenance", {}), **identity}
    return {**summary, "directory": str(directory)}, traces


def _check_indices(directory: Path, traces: Sequence[Trace], n_samples: int) -> None:
    seen: dict[int, str] = {}
    for trace in traces:
        if trace.index >= n_samples:
            raise RunError(
                f"{directory} contains a trace of sample {trace.sample!r} with index {trace.index}, but its dataset "
                f"has {units.number_of(n_samples, 'sample')}; delete that line"
            )
        if seen.setdefault(trace.index, trace.sample) != trace.sample:
            raise RunError(
                f"{directory} contains traces of two samples, {seen[trace.index]!r} and {trace.sample!r}, with index "
                f"{trace.index}; delete the wrong line"
            )


def read_all(directories: Sequence[Path], apart: Sequence[Path] = ()) -> tuple[list[Result], list[str]]:
    """`read` of every run at or below the directories, each once, and a sentence for each that cannot be read. Runs
    below `apart`, which belong to something else, are left out.

    Raises `RunError` if there is none, unless something is set `apart`.
    """
    results, faults = [], []
    runs: dict[Path, Path] = {}
    for directory in directories:
        try:
            runs.update({run.resolve(): run for run in store.find_runs(directory)})
        except RunError as error:
            faults.append(str(error))
    others = [place.resolve() for place in apart]
    for run in [run for real, run in runs.items() if not any(real.is_relative_to(place) for place in others)]:
        try:
            results.append(read(run))
        except RunError as error:
            faults.append(str(error))
    if not results and not apart:
        raise RunError("\n".join(faults))
    return results, faults
