"""What each arm of a campaign cost and gave, image by image: derived from its traces and a cost model.

Arrays are (seeds, images), images in the dataset's order. Beside the arms that were run:

- *choice*: the proposal is corrected where M's confidence is at least a threshold, else the image is done from scratch;
- *oracle*: in each image the better of the two, by clicks for the clicks and by seconds for the seconds, which bounds
  every rule of choice;
- *M alone*: the proposal is accepted where it reaches the target, else rejected, and the image stays without a mask.

M is, in all three, the one of the arm they are derived from: trained on that arm's masks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from iiszoo.engine.campaign.cost_model import CostModel
from iiszoo.engine.campaign.plan import CONTINUAL, SCRATCH, trainings
from iiszoo.engine.metrics import iou_at, reached
from iiszoo.engine.runs.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

ALONE, CHOICE, ORACLE = "M alone", "choice", "oracle"
Traces = Mapping[str, Sequence[Sequence[Trace]]]
"""The traces of each arm that was run, by seed, by image; of an arm whose order does not matter there is one seed."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm, all arrays (seeds, images). `wait` are the seconds for which a person waits for M before an image, of
    which `seconds` is free; `proposed`: a proposal was there; `iou` 0 where there is no mask.
    """

    name: str
    clicks: Numbers
    seconds: Numbers
    wait: Numbers
    iou: Numbers
    at_target: Flags
    proposed: Flags

    @property
    def all_seconds(self) -> Numbers:
        """The person's seconds, waiting included."""
        return self.seconds + self.wait


@dataclass(frozen=True, eq=False)
class Outcome:
    """`positions[s, i]`: the place, from 0, of image i in order s; `proposal_iou[s, i]` of the continual M, NaN where
    there was none; `from_images`: the places from which on there was a new M.
    """

    arms: dict[str, Arm]
    positions: NDArray[np.int64]
    proposal_iou: Numbers
    from_images: list[int]


def outcome(
    traces: Traces,
    orders: Sequence[Sequence[int]],
    cost: CostModel,
    *,
    target_iou: float,
    max_clicks: int,
    schedule: str,
    lag: int,
    choose_above: float,
) -> Outcome:
    """The outcome of a finished campaign of one model. `orders[s]` are the places of the images in the dataset."""
    n_seeds, n = len(orders), len(orders[0])
    positions = np.empty((n_seeds, n), np.int64)
    for s, order in enumerate(orders):
        positions[s, np.asarray(order)] = np.arange(n)
    points = [point + lag for point in trainings(schedule, n) if point + lag < n]
    arms = {}
    for name, by_seed in traces.items():
        arm = _arm(name, [by_seed[s % len(by_seed)] for s in range(n_seeds)], cost, target_iou, max_clicks)
        if name == CONTINUAL:
            arm = replace(arm, wait=_waits(arm, by_seed, positions, points, lag))
        arms[name] = arm
    corrected = CONTINUAL if CONTINUAL in traces else next((name for name in traces if name != SCRATCH), None)
    proposal_iou = np.full((n_seeds, n), np.nan)
    if corrected is not None:
        by_seed = [traces[corrected][s % len(traces[corrected])] for s in range(n_seeds)]
        proposal_iou = np.where(arms[corrected].proposed, _table(by_seed, lambda trace: trace.initial_iou), np.nan)
        confidence = _table(by_seed, lambda trace: ((trace.proposal or {}).get("confidence")) or 0.0)
        arms |= _derived(arms[SCRATCH], arms[corrected], confidence >= choose_above, proposal_iou, cost, target_iou)
    return Outcome(arms, positions, proposal_iou, points)


def _arm(name: str, by_seed: Sequence[Sequence[Trace]], cost: CostModel, target_iou: float, max_clicks: int) -> Arm:
    clicks = _table(by_seed, lambda trace: max_clicks if trace.error else sum(map(len, trace.clicks)))
    proposed = _table(by_seed, lambda trace: trace.proposal is not None).astype(bool)
    look = np.where(proposed, cost.review, cost.first_look)
    return Arm(
        name,
        clicks,
        cost.change + look + cost.click * clicks,
        np.zeros_like(clicks),
        _table(by_seed, lambda trace: iou_at(trace, max_clicks)),
        _table(by_seed, lambda trace: reached(trace, target_iou)).astype(bool),
        proposed,
    )


def _derived(
    scratch: Arm, corrected: Arm, chosen: Flags, proposal_iou: Numbers, cost: CostModel, target_iou: float
) -> dict[str, Arm]:
    """Choice, oracle and M alone."""

    def either(name: str, where: Flags, arm: Arm = corrected) -> Arm:
        picked = {
            field: np.where(where, getattr(arm, field), getattr(scratch, field))
            for field in ("clicks", "seconds", "iou", "at_target", "proposed")
        }
        return Arm(name, wait=corrected.wait, **picked)

    fewer = corrected.clicks < scratch.clicks
    oracle = replace(
        either(ORACLE, corrected.proposed & fewer),
        seconds=np.minimum(scratch.seconds, np.where(corrected.proposed, corrected.seconds, np.inf)),
        at_target=scratch.at_target | corrected.at_target,
    )
    good = corrected.proposed & (np.nan_to_num(proposal_iou) >= target_iou)
    alone = Arm(
        ALONE,
        np.zeros_like(scratch.clicks),
        np.where(corrected.proposed, cost.change + cost.review, 0.0),
        corrected.wait,
        np.where(good, np.nan_to_num(proposal_iou), 0.0),
        good,
        corrected.proposed,
    )
    return {CHOICE: either(CHOICE, corrected.proposed & chosen), ORACLE: oracle, ALONE: alone}


def _waits(
    arm: Arm, by_seed: Sequence[Sequence[Trace]], positions: NDArray[np.int64], points: Sequence[int], lag: int
) -> Numbers:
    """Where a new M is ready: what was left of its training when the `lag` images before were done, in seconds."""
    waits = np.zeros_like(arm.seconds)
    for s, traces in enumerate(by_seed):
        order = np.argsort(positions[s])
        before = None
        for point in points:
            i = int(order[point])
            proposal = traces[i].proposal
            if proposal is not None and proposal["checkpoint"] != before:
                before = proposal["checkpoint"]
                meanwhile = float(arm.seconds[s, order[point - lag : point]].sum())
                waits[s, i] = max(0.0, proposal["training_seconds"] - meanwhile)
    return waits


def _table(by_seed: Sequence[Sequence[Trace]], value: Callable[[Trace], float]) -> Numbers:
    return np.array([[value(trace) for trace in traces] for traces in by_seed], np.float64)
