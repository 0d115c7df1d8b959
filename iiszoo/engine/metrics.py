"""Metrics: IoU of a prediction, and what is computed from the traces of a run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from iiszoo.engine.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOC_TARGETS = (0.80, 0.85, 0.90, 0.95)


@numba.njit(cache=True, nogil=True)
def _count(prediction: Any, target: Any, threshold: Any) -> tuple[int, int, bool]:
    both = either = outside = 0
    for i in range(prediction.size):
        predicted = prediction[i] > threshold
        wanted = target[i] != 0
        both += predicted & wanted
        either += predicted | wanted
        outside += not ((prediction[i] >= 0) & (prediction[i] <= 1))  # true of NaN
    return both, either, outside == 0


@numba.njit(cache=True, nogil=True)
def _count_valid(prediction: Any, target: Any, ignore: Any, threshold: Any) -> tuple[int, int, bool]:
    both = either = outside = 0
    for i in range(prediction.size):
        predicted = prediction[i] > threshold
        wanted = target[i] != 0
        valid = ignore[i] == 0
        both += predicted & wanted & valid
        either += (predicted | wanted) & valid
        outside += not ((prediction[i] >= 0) & (prediction[i] <= 1))
    return both, either, outside == 0


def iou(
    prediction: NDArray[np.float32],
    target: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
    threshold: float = 0.5,
) -> float:
    """Intersection over union of `prediction > threshold` and `target`, arrays of one shape.

    Ignored pixels are left out of both (RITM b9b4460, `get_iou`); where both are empty it is 1. Raises `ValueError`
    where the shapes differ.
    """
    return checked_iou(prediction, target, ignore, threshold)[0]


def checked_iou(
    prediction: NDArray[np.float32],
    target: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
    threshold: float = 0.5,
) -> tuple[float, bool]:
    """`iou`, and whether every value of `prediction` is a probability: found in the same pass over the pixels."""
    if prediction.shape != target.shape or (ignore is not None and ignore.shape != target.shape):
        raise ValueError(f"prediction {prediction.shape}, target {target.shape} and ignore must have one shape")
    limit = np.float32(threshold)
    flat = np.ascontiguousarray(prediction).reshape(-1)
    wanted = np.ascontiguousarray(target).reshape(-1).view(np.uint8)
    if ignore is None:
        both, either, sound = _count(flat, wanted, limit)
    else:
        both, either, sound = _count_valid(flat, wanted, np.ascontiguousarray(ignore).reshape(-1).view(np.uint8), limit)
    return (both / either if either else 1.0), sound


def noc(trace: Trace, target: float, max_clicks: int) -> int:
    """Number of clicks: the first interaction after which IoU >= target, counted from 1; `max_clicks` where none is.

    A sample whose initial mask is good enough needs 0. Source: RITM b9b4460, `compute_noc_metric`.
    """
    if trace.error is None:
        if trace.initial_iou >= target:
            return 0
        for k, value in enumerate(trace.iou[:max_clicks]):
            if value >= target:
                return k + 1
    return max_clicks


def reached(trace: Trace, target: float) -> bool:
    """Whether IoU >= target at any time of the session."""
    return trace.error is None and max([trace.initial_iou, *trace.iou]) >= target


def iou_at(trace: Trace, k: int) -> float:
    """IoU after click k (0: before the first); the last one where the session ended earlier, 0 where it failed."""
    if trace.error is not None:
        return 0.0
    return [trace.initial_iou, *trace.iou][: k + 1][-1]


def seconds_per_click(traces: Sequence[Trace]) -> float:
    """SPC: all time spent (reading, encoding, model, robot and scoring) over all clicks; NaN without clicks.

    Source: RITM's SPC divides the elapsed time of the whole loop by the clicks. Here the parts are added up, so that
    overlapping them, or stopping and resuming, does not change it.
    """
    clicks = sum(len(trace.iou) for trace in traces)
    seconds = sum(
        trace.load_seconds + trace.init_seconds + sum(trace.model_seconds) + sum(trace.robot_seconds)
        for trace in traces
    )
    return seconds / clicks if clicks else math.nan


def summarise(traces: Sequence[Trace], max_clicks: int, target_iou: float) -> dict[str, Any]:
    """Every result metric of a run that does not measure time, by name; order of `traces` does not matter.

    `noc85` mean NoC@85, `noc85_std` its standard deviation over samples; `nof85` the number of samples whose NoC is
    `max_clicks`, as RITM counts, which includes those that get there with the last click; `nof85_strict` those that
    never get there; `iou` the mean IoU after 0, 1, ... `max_clicks` clicks. NoC of a target above `target_iou` is None:
    the sessions ended before.
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
    results["iou"] = [_mean(iou_at(trace, k) for trace in ordered) for k in range(max_clicks + 1)]
    return results


def summarise_times(traces: Sequence[Trace]) -> dict[str, float | None]:
    """Milliseconds: of the model and of the robot (scoring included) a click, median and p95; of the image's encoding.

    `spc_seconds` is `seconds_per_click`.
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


def _mean(values: Any) -> float | None:
    listed = list(values)
    return statistics.fmean(listed) if listed else None


def _quantile(values: Sequence[float], q: float) -> float:
    return float(np.quantile(values, q)) if values else math.nan
