"""The robot's turn in one session, whoever wrote the robot."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from iiszoo.clicking.recorded import Recorded
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RobotError, with_place
from iiszoo.protocol import Clicks, Robot


def robot_turn(
    robot: Robot,
    name: str,
    output: Tensor,
    target: Tensor,
    pcs: Clicks,
    ncs: Clicks,
    *,
    ignore: Tensor | None,
    generator: np.random.Generator,
    threshold: float,
    sample: str,
) -> tuple[Clicks, Clicks]:
    """The click lists after the robot's turn, one interaction longer; the new one is of plain ints.

    `output` float32, `target` and `ignore` bool, `(1, 1, H, W)`. Raises `RobotError`, naming the robot and the sample,
    if the robot raises or returns anything else.
    """
    try:
        new_pcs, new_ncs = robot(
            output,
            target,
            pcs,
            ncs,
            ignore=ignore,
            generators=[generator],
            threshold=threshold,
            samples=[sample],
        )
        if not len(new_pcs) == len(new_ncs) == len(pcs) + 1:
            raise ValueError(f"{len(new_pcs)} and {len(new_ncs)} interactions returned after {len(pcs)}")
        made = [[(int(row), int(col)) for row, col in clicks[-1][0]] for clicks in (new_pcs, new_ncs)]
        rows, columns = output.shape[-2:]
        for row, col in (*made[0], *made[1]):
            if not (0 <= row < rows and 0 <= col < columns):
                raise ValueError(f"click ({row}, {col}) returned on an image of {rows} rows, {columns} columns")
        return [*new_pcs[:-1], [made[0]]], [*new_ncs[:-1], [made[1]]]
    except KeyboardInterrupt:
        raise
    except RobotError as error:  # it says what happened; of a robot in another interpreter
        raise RobotError(f"{error} (on sample {sample!r} at click {len(pcs)})") from error
    except BaseException as error:
        raise RobotError(
            f"robot {name} raised {with_place(error, f'on sample {sample!r} at click {len(pcs)}')}"
        ) from error


def unrecorded(robot: Robot, trace: Trace) -> int | None:
    """How many of a session's clicks so far were made up by a robot that replays recorded ones; None for any other."""
    if not isinstance(robot, Recorded):
        return None
    height, width = trace.size
    return robot.unrecorded(trace.sample, (height, width), trace.clicks)
