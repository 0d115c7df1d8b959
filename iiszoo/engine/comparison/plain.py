"""Runs and their differences as plain values, for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from iiszoo.engine.comparison.pairs import Pair, noc_intervals
from iiszoo.engine.comparison.rankings import rankings
from iiszoo.engine.comparison.repeats import repeats
from iiszoo.engine.metrics import NOC_TARGETS, iou_at, noc, reached
from iiszoo.engine.metrics.bootstrap import Interval
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.runs.trace import Trace


def as_values(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The summary of each run, with `intervals` of its mean NoC, `samples`, one row for each, `differences` from
    every other run on the same data, and `repeats`: the robustness over the seeds, or the robots, of its model.
    """
    values = [
        {
            **summary,
            "intervals": {name: _limits(interval) for name, interval in noc_intervals((summary, traces)).items()},
            "differences": [],
            "repeats": [],
            "samples": [_sample(trace, summary["protocol"]) for trace in traces],
        }
        for summary, traces in results
    ]
    places = {id(summary): i for i, (summary, _) in enumerate(results)}
    for group in repeats(results):
        figures = None if group.robustness is None else asdict(group.robustness)
        for run in group.runs:
            values[places[id(run)]]["repeats"].append(
                {"over": group.over, "n_runs": len(group.runs), "robustness": figures}
            )
    for ranking in rankings(results):
        for a, b, pair in ranking.pairs:
            values[a]["differences"].append(_difference(results[b][0], pair, 1))
            values[b]["differences"].append(_difference(results[a][0], pair, -1))
    return values


def _sample(trace: Trace, rules: dict[str, Any]) -> dict[str, Any]:
    goals = [target for target in NOC_TARGETS if target <= rules["target_iou"]]
    return {
        "sample": trace.sample,
        "index": trace.index,
        **{f"noc{round(100 * goal)}": noc(trace, goal, rules["max_clicks"]) for goal in goals},
        "reached": reached(trace, rules["target_iou"]),
        "n_clicks": sum(map(len, trace.clicks)),
        "iou": [trace.initial_iou, *trace.iou],
        "final_iou": iou_at(trace, rules["max_clicks"]),
        "error": trace.error,
    }


def _difference(other: dict[str, Any], pair: Pair, sign: int) -> dict[str, Any]:
    """The mean NoC of `other` less that of the run itself, which is run a of the pair if `sign` is 1, else run b."""
    interval = pair.difference
    ends = [] if interval is None else sorted((sign * interval.low, sign * interval.high))
    return {
        "model": other["model"],
        "directory": other.get("directory"),
        "goal": pair.goal.iou,
        "n": pair.n,
        "value": sign * (pair.noc_b - pair.noc_a),
        "interval": ends or None,
        "distinguishable": pair.distinguishable,
        "fewer_clicks_here": pair.wins if sign == 1 else pair.losses,
        "ties": pair.ties,
        "more_clicks_here": pair.losses if sign == 1 else pair.wins,
    }


def pair_values(pair: Pair) -> dict[str, Any]:
    """A pair with all its samples."""
    return {
        **asdict(pair),
        "difference": {"value": pair.noc_b - pair.noc_a, "interval": _limits(pair.difference)},
        "distinguishable": pair.distinguishable,
    }


def _limits(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
