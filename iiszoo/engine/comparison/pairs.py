"""The difference of two runs on the same data: of their mean NoC, with an interval, and in each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iiszoo.engine.comparison.data import data_of
from iiszoo.engine.metrics import NOC_TARGETS, bootstrap, iou_at, noc, reached
from iiszoo.engine.metrics.bootstrap import Interval
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError


@dataclass(frozen=True)
class Goal:
    """When a sample counts as done: NoC at `iou`, `max_clicks` at most."""

    iou: float
    max_clicks: int

    @property
    def name(self) -> str:
        return f"NoC@{100 * self.iou:g}"

    def noc(self, trace: Trace) -> int:
        return noc(trace, self.iou, self.max_clicks)


def goal_of(summaries: Sequence[dict[str, Any]]) -> Goal:
    """What all the runs can be judged by: the lowest of their target IoUs (sessions end there) and of their numbers of
    clicks.
    """
    rules = [summary["protocol"] for summary in summaries]
    return Goal(min(rule["target_iou"] for rule in rules), min(rule["max_clicks"] for rule in rules))


@dataclass(frozen=True)
class SampleDifference:
    """One sample in two runs: NoC, None if the goal was never reached, and the IoU of the last mask."""

    sample: str
    noc_a: int
    noc_b: int
    reached_a: bool
    reached_b: bool
    iou_a: float
    iou_b: float


@dataclass(frozen=True)
class Pair:
    """Run b beside run a, on `n` samples. `difference` is the mean NoC of b less that of a, paired; None with fewer
    than two samples. `wins` are the samples in which a needs fewer clicks than b, `losses` those in which it needs
    more. `samples` begins with those in which they differ most.
    """

    goal: Goal
    n: int
    noc_a: float
    noc_b: float
    difference: Interval | None
    wins: int
    ties: int
    losses: int
    samples: list[SampleDifference]

    @property
    def distinguishable(self) -> bool:
        return self.difference is not None and self.difference.sure


def pair(a: Result, b: Result, goal: Goal | None = None) -> Pair:
    """Compare two runs on the samples that both have done. `goal` None: that of `goal_of`.

    Raises `RunError` if they are runs on different data, or have no sample in common.
    """
    if data_of(a[0]) != data_of(b[0]):
        raise RunError(
            f"{_called(a)} and {_called(b)} are runs on different data (fingerprints {data_of(a[0])[0][:12]} and "
            f"{data_of(b[0])[0][:12]}); compare runs on the same"
        )
    goal = goal or goal_of([a[0], b[0]])
    theirs = {trace.sample: trace for trace in b[1]}
    both = [(trace, theirs[trace.sample]) for trace in a[1] if trace.sample in theirs]
    if not both:
        raise RunError(f"{_called(a)} and {_called(b)} have no sample in common; go on with one of them")
    samples = [_sample(one, other, goal) for one, other in both]
    clicks = np.array([(each.noc_a, each.noc_b) for each in samples], np.float64)
    less = clicks[:, 1] - clicks[:, 0]
    return Pair(
        goal,
        len(samples),
        float(clicks[:, 0].mean()),
        float(clicks[:, 1].mean()),
        bootstrap.mean(less),
        int((less > 0).sum()),
        int((less == 0).sum()),
        int((less < 0).sum()),
        sorted(samples, key=lambda one: (-abs(one.noc_b - one.noc_a), -abs(one.iou_b - one.iou_a))),
    )


def _called(result: Result) -> str:
    summary = result[0]
    return f"{summary['model']} on {summary['dataset']} ({summary.get('directory', 'no directory')})"


def _sample(a: Trace, b: Trace, goal: Goal) -> SampleDifference:
    return SampleDifference(
        a.sample,
        goal.noc(a),
        goal.noc(b),
        reached(a, goal.iou),
        reached(b, goal.iou),
        iou_at(a, len(a.iou)),
        iou_at(b, len(b.iou)),
    )


def noc_intervals(result: Result) -> dict[str, Interval]:
    """The mean NoC of a run with its interval, by the metric's name, for each IoU that its sessions go up to."""
    summary, traces = result
    rules = summary["protocol"]
    found = {}
    for target in NOC_TARGETS:
        clicks = np.array([noc(trace, target, rules["max_clicks"]) for trace in traces], np.float64)
        if target <= rules["target_iou"] and (interval := bootstrap.mean(clicks)) is not None:
            found[f"noc{round(100 * target)}"] = interval
    return found
