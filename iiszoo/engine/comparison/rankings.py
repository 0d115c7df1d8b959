"""The runs on the same data in the order of their mean NoC, each compared with the best, and any two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iiszoo.engine.comparison import data
from iiszoo.engine.comparison.pairs import Goal, Pair, goal_of, pair
from iiszoo.engine.metrics import bootstrap
from iiszoo.engine.metrics.bootstrap import Interval
from iiszoo.engine.runs.summary import Result

FEW = 20
"""With fewer samples than this, bootstrap intervals are known to be too narrow."""


@dataclass(frozen=True)
class Ranked:
    """One run, by its position `run` in what was given. `noc` is its mean, with an interval if there is more than one
    sample; `beside_best` the pair of the best run (a) and this one (b), None for the best itself.
    """

    run: int
    mean: float
    noc: Interval | None
    beside_best: Pair | None


@dataclass(frozen=True)
class Ranking:
    """The runs on one dataset, the best first; `pairs` has (run a, run b, pair) for any two, in that order."""

    dataset: str
    goal: Goal
    n: int
    rows: list[Ranked]
    pairs: list[tuple[int, int, Pair]]


def rankings(results: Sequence[Result]) -> list[Ranking]:
    """A ranking for all data on which two runs or more have done the same samples (`comparison.samples`)."""
    found = []
    for key, name in data.names([summary for summary, _ in results]).items():
        here = [i for i, (summary, _) in enumerate(results) if data.data_of(summary) == key]
        done = {frozenset(trace.sample for trace in results[i][1]) for i in here}
        if len(here) > 1 and len(done) == 1 and all(done):
            found.append(_ranking(name, results, here))
    return found


def _ranking(name: str, results: Sequence[Result], here: Sequence[int]) -> Ranking:
    goal = goal_of([results[i][0] for i in here])
    clicks = {i: np.array([goal.noc(trace) for trace in results[i][1]], np.float64) for i in here}
    order = sorted(here, key=lambda i: float(clicks[i].mean()))
    pairs = {(a, b): pair(results[a], results[b], goal) for n, a in enumerate(order) for b in order[n + 1 :]}
    rows = [Ranked(i, float(clicks[i].mean()), bootstrap.mean(clicks[i]), pairs.get((order[0], i))) for i in order]
    return Ranking(name, goal, len(clicks[order[0]]), rows, [(a, b, one) for (a, b), one in pairs.items()])
