"""Runs of one model on the same data that differ in nothing but the seed, or the robot: their mean and spread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from iiszoo.engine.comparison.data import data_of
from iiszoo.engine.comparison.pairs import Goal, goal_of
from iiszoo.engine.runs.summary import Result

_FREE = {"seed": ("seed",), "robot": ("robot", "robot_version", "seed")}
"""What may differ between the repeats of a run, by what they repeat it over."""


@dataclass(frozen=True)
class Repeats:
    """Runs repeated over `over`, "seed" or "robot": the mean NoC of each, in the order of `runs`."""

    over: str
    goal: Goal
    runs: list[dict[str, Any]]
    nocs: list[float]

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
    for over in _FREE:
        for group in _groups(results, over):
            values = {json.dumps(summary["protocol"][over]) for summary, _ in group}
            if len(values) == len(group) > 1:
                goal = goal_of([summary for summary, _ in group])
                means = [statistics.fmean(map(goal.noc, traces)) for _, traces in group]
                found.append(Repeats(over, goal, [summary for summary, _ in group], means))
    return found


def _groups(results: Sequence[Result], over: str) -> Iterator[list[Result]]:
    by_rest: dict[str, list[Result]] = {}
    for result in results:
        summary, traces = result
        free = ("name", "hash", *_FREE[over])
        rules = {rule: value for rule, value in summary["protocol"].items() if rule not in free}
        model = summary.get("provenance", {}).get("model", summary["model"])
        if traces:
            by_rest.setdefault(json.dumps([model, data_of(summary), rules], sort_keys=True), []).append(result)
    yield from by_rest.values()
