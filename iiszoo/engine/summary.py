"""A run's summary: everything that is derived from its identity and its traces. `summary.json` is a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iiszoo.engine import metrics, store
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.trace import Trace


def summarise(identity: dict[str, Any], traces: Sequence[Trace], skipped: dict[str, str]) -> dict[str, Any]:
    """The summary of traces, whatever order they came in. `skipped` maps broken samples to the reason.

    `complete` says that every sample of the dataset is there or was skipped; `n_failed` counts samples in which the
    model failed.
    """
    rules = ResolvedProtocol.from_json(identity["protocol"])
    total = identity["dataset"]["n_samples"]
    done = {trace.sample for trace in traces}
    skipped = {sample: reason for sample, reason in skipped.items() if sample not in done}
    return {
        "model": identity["model"]["id"],
        "dataset": identity["dataset"]["id"],
        "protocol": identity["protocol"],
        "n_samples": total,
        "n_done": len(traces),
        "n_failed": sum(trace.error is not None for trace in traces),
        "complete": len(traces) + len(skipped) == total,
        "skipped": skipped,
        "metrics": metrics.summarise(traces, rules.max_clicks, rules.target_iou),
        "times": metrics.summarise_times(traces),
    }


def read(directory: Path) -> tuple[dict[str, Any], list[Trace]]:
    """The summary of a run directory, derived anew from all traces that are there (of every shard), and the traces.

    Raises `RunError` where the directory holds no run, or a damaged one.
    """
    identity = store.read_identity(directory)
    stored = store.read_summary(directory) or {"provenance": identity}
    traces = store.read_traces(directory)
    summary = summarise(identity, traces, stored.get("skipped", {}))
    times = {**stored.get("times", {}), **summary["times"]}
    return {**stored, **summary, "times": times, "directory": str(directory)}, traces
