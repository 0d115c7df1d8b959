"""`mix`: a person who clicks now like one robot, now like another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from iiszoo.cards import RobotCard
from iiszoo.clicking.loading import load_robot, robot_version
from iiszoo.clicking.robot_argument import numbers
from iiszoo.clicking.single_sample import copied, generator
from iiszoo.errors import BadOption
from iiszoo.protocol import Clicks, Robot


class Mix:
    """A robot that acts, in every call and for every element, as one of `robots`, drawn in proportion to its weight.

    ValueError unless there is a weight above 0 for each robot.
    """

    version = 1

    def __init__(self, robots: Sequence[Robot], weights: Sequence[float]) -> None:
        if not robots or len(robots) != len(weights) or not all(0 < weight < np.inf for weight in weights):
            raise ValueError(f"a mix needs a weight above 0 for each robot, not {list(weights)} for {len(robots)}")
        self.robots = list(robots)
        self.weights = np.array(weights, np.float64) / sum(weights)

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor,
        pcs: Clicks,
        ncs: Clicks,
        n_points: int = 1,
        *,
        ignore: Tensor | None = None,
        generators: Sequence[np.random.Generator | None] | None = None,
        samples: Sequence[str] | None = None,
        **rest: Any,
    ) -> tuple[Clicks, Clicks]:
        """Called as any robot; see `single_sample`."""
        new_pcs: Clicks = [[]]
        new_ncs: Clicks = [[]]
        for b in range(len(outputs)):
            rng = generator(generators, b)
            robot = self.robots[int(rng.choice(len(self.robots), p=self.weights))]
            one = slice(b, b + 1)
            own_pcs, own_ncs = robot(
                outputs[one],
                targets[one],
                [interaction[one] for interaction in pcs],
                [interaction[one] for interaction in ncs],
                n_points,
                ignore=None if ignore is None else ignore[one],
                generators=[rng],
                samples=None if samples is None else samples[one],
                **rest,
            )
            new_pcs[0] += own_pcs[-1]
            new_ncs[0] += own_ncs[-1]
        return [*copied(pcs), *new_pcs], [*copied(ncs), *new_ncs]


def load(card: RobotCard, argument: str = "") -> Mix:
    """The mix given by `ROBOT=WEIGHT,ROBOT=WEIGHT,...`. Raises `BadOption` or `UnknownId`.

    Its version changes when that of any of its robots does.
    """
    usage = f"{card.id}:ROBOT=WEIGHT,ROBOT=WEIGHT, such as {card.id}:ritm=0.7,random-false=0.3"
    weights = numbers(argument, usage)
    if not weights:
        raise BadOption(f"robot {card.id!r} has no robots to choose from; write {usage}")
    for robot, weight in weights.items():
        if weight <= 0:
            raise BadOption(f"robot {card.id!r}: the weight of {robot} must be above 0, not {weight:g}; write {usage}")
    mix = Mix([load_robot(robot) for robot in weights], list(weights.values()))
    mix.version = card.version + sum(robot_version(robot) for robot in weights)
    return mix
