"""Runs of one model on the same data that differ in nothing but the seed, or the robot: their mean and spread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iiszoo.engine.comparison.data import data_of
from iiszoo.engine.comparison.pairs import Goal, goal_of
from iiszoo.engine.metrics import iou_at, of_repeats
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.runs.trace import Trace
from iiszoo.names import parse_name

_FREE = {"seed": ("seed",), "robot": ("robot", "robot_version", "seed")}
"""What may differ between the repeats of a run, by what they repeat it over."""
BASE = "ritm"
"""The robot whose clicks dSB is measured from."""


@dataclass(frozen=True)
class Robustness:
    """How the figures depend on who clicks, on the samples that all runs have done (`engine.metrics.of_repeats`).

    `auc` is the mean of the runs' area under the IoU curve, `auc_spread` its standard deviation (divided by their
    number less one). `user` is the IoU after the first click, and `user_spread` how much it differs between runs in one
    sample, if all runs begin with the recorded clicks of people; else None. `nsr` is that of a sample's area under the
    curve, `dgr` and `dsb` are those of its NoC; `dsb` is None without a run of the robot `ritm`.
    """

    n: int
    auc: float
    auc_spread: float
    user: float | None
    user_spread: float | None
    nsr: float
    dgr: float | None
    dsb: float | None


@dataclass(frozen=True)
class Repeats:
    """Runs repeated over `over`, "seed" or "robot": the mean NoC of each, in the order of `runs`; `robustness` is None
    if they have no sample in common.
    """

    over: str
    goal: Goal
    runs: list[dict[str, Any]]
    nocs: list[float]
    robustness: Robustness | None

    @property
    def mean(self) -> float:
        return statistics.fmean(self.nocs)

    @property
    def spread(self) -> float:
        """The standard deviation of the runs' means (divided by their number less one)."""
        return statistics.stdev(self.nocs)


def repeats(results: Sequence[Result]) -> list[Repeats]:
    """Every group of two runs or more; runs with several seeds of several robots are grouped by seed."""
    found = []
    bases = {_key(summary, "robot"): traces for summary, traces in results if _robot(summary) == BASE}
    for over in _FREE:
        for group in _groups(results, over):
            values = {json.dumps(summary["protocol"][over]) for summary, _ in group}
            if len(values) == len(group) > 1:
                goal = goal_of([summary for summary, _ in group])
                means = [statistics.fmean(map(goal.noc, traces)) for _, traces in group]
                robustness = _robustness(group, goal, bases.get(_key(group[0][0], "robot")))
                found.append(Repeats(over, goal, [summary for summary, _ in group], means, robustness))
    return found


def _groups(results: Sequence[Result], over: str) -> Iterator[list[Result]]:
    by_rest: dict[str, list[Result]] = {}
    for result in results:
        summary, traces = result
        if traces:
            by_rest.setdefault(_key(summary, over), []).append(result)
    yield from by_rest.values()


def _key(summary: dict[str, Any], over: str) -> str:
    """What runs have in common that are repeated over `over`."""
    free = ("name", "hash", *_FREE[over])
    rules = {rule: value for rule, value in summary["protocol"].items() if rule not in free}
    model = summary.get("provenance", {}).get("model", summary["model"])
    return json.dumps([model, data_of(summary), rules], sort_keys=True)


def _robot(summary: dict[str, Any]) -> str:
    return parse_name(summary["protocol"]["robot"]).id


def _robustness(group: Sequence[Result], goal: Goal, base: Sequence[Trace] | None) -> Robustness | None:
    runs = [{trace.sample: trace for trace in traces} for _, traces in group]
    common = [sample for sample in runs[0] if all(sample in run for run in runs)]
    if not common:
        return None
    clicks = np.array([[goal.noc(run[sample]) for sample in common] for run in runs], np.float64)
    auc = np.array([[_auc(run[sample], goal.max_clicks) for sample in common] for run in runs])
    robots = {_robot(summary) for summary, _ in group}
    first = np.array([[iou_at(run[sample], 1) for sample in common] for run in runs])
    user, user_spread = of_repeats.mean_and_spread(first) if robots == {"recorded"} else (None, None)
    areas = auc.mean(axis=1)
    return Robustness(
        len(common),
        float(areas.mean()),
        float(areas.std(ddof=1)),
        user,
        user_spread,
        of_repeats.noise_to_signal(auc),
        of_repeats.worst_beside_best(clicks),
        _beside(clicks, [_robot(summary) != BASE for summary, _ in group], common, goal, base),
    )


def _beside(
    clicks: np.ndarray[Any, Any], drawn: Sequence[bool], common: Sequence[str], goal: Goal, base: Sequence[Trace] | None
) -> float | None:
    """dSB of the runs that are `drawn`, not the base itself, on the samples of the base."""
    of_base = {trace.sample: goal.noc(trace) for trace in base or ()}
    shared = [i for i, sample in enumerate(common) if sample in of_base]
    if not shared or not any(drawn):
        return None
    there = np.array([of_base[common[i]] for i in shared], np.float64)
    return of_repeats.beside_base(clicks[np.array(drawn)][:, shared], there)


def _auc(trace: Trace, max_clicks: int) -> float:
    return statistics.fmean(iou_at(trace, k) for k in range(1, max_clicks + 1))
