"""The robot's side of one session, asked again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from iiszoo import protocol
from iiszoo.data.base import Sample
from iiszoo.engine import metrics
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.robot_turn import robot_turn
from iiszoo.protocol import Clicks, Robot
from iiszoo.seeding import generator_for


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What the clicks of a session aim at, as robot and score take it: bool (1, 1, H, W) twice, and prepared."""

    target: Tensor
    ignore: Tensor | None
    prepared: metrics.PreparedTarget

    @classmethod
    def of(cls, sample: Sample) -> GroundTruth:
        object, ignore = sample.read_target()
        ignored = None if ignore is None else protocol.to_targets(ignore)
        return cls(protocol.to_targets(object), ignored, metrics.prepare(object, ignore))


def clicks_of(
    robot: Robot,
    output: Tensor,
    truth: GroundTruth,
    pcs: Clicks,
    ncs: Clicks,
    sample: str,
    rules: ResolvedProtocol,
    generator: np.random.Generator | None = None,
) -> list[list[int]]:
    """The robot's next clicks as a trace has them, `[row, col, positive]`."""
    new_pcs, new_ncs = robot_turn(
        robot,
        rules.robot,
        output,
        truth.target,
        pcs,
        ncs,
        ignore=truth.ignore,
        generator=generator_for(sample, rules.robot, rules.seed) if generator is None else generator,
        threshold=rules.threshold,
        sample=sample,
    )
    return [[*at, 1] for at in new_pcs[-1][0]] + [[*at, 0] for at in new_ncs[-1][0]]
