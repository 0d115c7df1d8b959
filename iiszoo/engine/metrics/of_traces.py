"""Metrics of a run: functions of its traces alone, so that a new metric never needs the model again."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from iiszoo.engine.runs.trace import Trace

NOC_TARGETS = (0.80, 0.85, 0.90, 0.95)


def noc(trace: Trace, target: float, max_clicks: int) -> int:
    """Number of clicks: the first interaction after which IoU >= target, counted from 1; `max_clicks` if there is none.

    It is 0 for a sample whose initial mask is good enough. Source: RITM b9b4460, `compute_noc_metric`.
    """
    if trace.error is None:
        if trace.initial_iou >= target:
            return 0
        for k, value in enumerate(trace.iou[:max_clicks]):
            if value >= target:
                return k + 1
    return max_clicks


def reached(trace: Trace, target: float) -> bool:
    """Whether IoU >= target at any point of the session."""
    return trace.error is None and max([trace.initial_iou, *trace.iou]) >= target


def iou_at(trace: Trace, k: int) -> float:
    """IoU after click k (0: before the first); the last one if the session ended earlier, 0 if it failed."""
    if trace.error is not None:
        return 0.0
    return [trace.initial_iou, *trace.iou][: k + 1][-1]


def boundary_iou_at(trace: Trace, k: int) -> float | None:
    """Like `iou_at`, for Boundary IoU; None if the trace lacks it: it was written before iiszoo measured it."""
    if trace.error is not None:
        return 0.0
    if trace.initial_boundary_iou is None:
        return None
    return [trace.initial_boundary_iou, *trace.boundary_iou][: k + 1][-1]


def iou_curve(traces: Sequence[Trace], max_clicks: int) -> list[float | None]:
    """Mean `iou_at` over samples after 0, 1, ... `max_clicks` clicks; None without traces.

    A session ends when it is good enough, and counts with its last IoU from then on: curves of evaluation protocols
    with different target IoUs cannot be compared. RITM's curves (b9b4460, `evaluate_model.py --iou-analysis`) have
    target IoU 1 and begin at click 1.
    """
    return [_mean(iou_at(trace, k) for trace in traces) for k in range(max_clicks + 1)]


def boundary_iou_curve(traces: Sequence[Trace], max_clicks: int) -> list[float | None]:
    """Mean `boundary_iou_at`, like `iou_curve`; None if any trace lacks it: some of the samples have another mean."""
    return [_mean(boundary_iou_at(trace, k) for trace in traces) for k in range(max_clicks + 1)]


def area_under_curve(curve: Sequence[float | None]) -> float | None:
    """The normalised area under a curve of `iou_curve`: its mean over clicks 1 to max_clicks, in [0, 1].

    Each click is a rectangle of width 1, as high as the IoU reached with it; the IoU before the first click does not
    count. 1 means that every sample is perfect after one click. None if the curve is unknown.
    """
    return _mean(curve[1:])


def seconds_per_click(traces: Sequence[Trace]) -> float:
    """SPC: all time spent (reading, encoding, model, robot and scoring) over all clicks; NaN without clicks.

    Source: RITM's SPC divides the elapsed time of the whole loop by the clicks. Here the parts are added up, so that
    neither overlapping them nor stopping and resuming changes it.
    """
    clicks = sum(len(trace.iou) for trace in traces)
    seconds = sum(
        trace.load_seconds + trace.init_seconds + sum(trace.model_seconds) + sum(trace.robot_seconds)
        for trace in traces
    )
    return seconds / clicks if clicks else math.nan


def metrics_of(traces: Sequence[Trace], max_clicks: int, target_iou: float) -> dict[str, Any]:
    """Every metric of a run that does not measure time, by name; the order of `traces` does not matter.

    - `noc85`: mean NoC@85, `noc85_std`: its standard deviation over samples (divided by their number);
    - `nof85`: the number of samples whose NoC is `max_clicks`, as RITM counts (b9b4460, `compute_noc_metric`),
      including those that reach the target with the last click; `nof85_strict`: those that never reach it;
    - `initial_iou`: the mean IoU before the first click, 0 for a session that starts without a mask;
    - `iou`: `iou_curve`; `auc`: the area under it; `boundary_iou`: `boundary_iou_curve`;
    - `unrecorded`: the share of all clicks that a robot which replays recorded ones had to make up; only with such a
      robot.

    NoC and NoF of a target above `target_iou` are None: the sessions end before.
    """
    ordered = sorted(traces, key=lambda trace: trace.index)
    results: dict[str, Any] = {}
    for target in NOC_TARGETS:
        name = f"{round(target * 100)}"
        known = bool(ordered) and target <= target_iou
        clicks = [noc(trace, target, max_clicks) for trace in ordered]
        results[f"noc{name}"] = statistics.fmean(clicks) if known else None
        results[f"noc{name}_std"] = statistics.pstdev(clicks) if known else None
        results[f"nof{name}"] = sum(c == max_clicks for c in clicks) if known else None
        results[f"nof{name}_strict"] = sum(not reached(trace, target) for trace in ordered) if known else None
    results["initial_iou"] = _mean(trace.initial_iou for trace in ordered if trace.error is None)
    results["iou"] = iou_curve(ordered, max_clicks)
    results["auc"] = area_under_curve(results["iou"])
    results["boundary_iou"] = boundary_iou_curve(ordered, max_clicks)
    replayed = [trace for trace in ordered if trace.unrecorded is not None]
    if replayed:
        n_clicks = sum(len(made) for trace in replayed for made in trace.clicks)
        results["unrecorded"] = sum(trace.unrecorded or 0 for trace in replayed) / n_clicks
    return results


def times_of(traces: Sequence[Trace]) -> dict[str, float | None]:
    """Milliseconds per click of the model and of the robot (scoring included), median and p95; of the image's encoding,
    median; `spc_seconds` is `seconds_per_click`.
    """
    model = [1e3 * seconds for trace in traces for seconds in trace.model_seconds]
    robot = [1e3 * seconds for trace in traces for seconds in trace.robot_seconds]
    times = {
        "model_ms_median": _quantile(model, 0.5),
        "model_ms_p95": _quantile(model, 0.95),
        "robot_ms_median": _quantile(robot, 0.5),
        "robot_ms_p95": _quantile(robot, 0.95),
        "init_ms_median": _quantile([1e3 * trace.init_seconds for trace in traces], 0.5),
        "spc_seconds": seconds_per_click(traces),
    }
    return {name: None if math.isnan(value) else value for name, value in times.items()}


def _mean(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return statistics.fmean(known) if known and len(known) == len(listed) else None


def _quantile(values: Sequence[float], q: float) -> float:
    return float(np.quantile(values, q)) if values else math.nan
