"""From a robot's name to the robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iiszoo.errors import RobotError, raised_as
from iiszoo.object_path import load_object
from iiszoo.registry import resolve_robot

if TYPE_CHECKING:
    from iiszoo.protocol import Robot


def load_robot(robot: str) -> Robot:
    """The robot (simulated user) of a name: an id, or `id:argument` if the robot takes one (`noisy-ritm:sigma=0.3`).

    Raises `UnknownId`, or `BadOption` if the argument cannot be used.
    """
    card, name = resolve_robot(robot)
    loader = load_object(card.loader)
    with raised_as(RobotError, f"robot {card.id} cannot be loaded"):
        loaded: Robot = loader(card, **({"argument": name.argument} if card.takes_argument else {}))
    if not callable(loaded):
        raise RobotError(f"robot {card.id} cannot be loaded: its loader {card.loader} returns {type(loaded).__name__}")
    return loaded


def robot_version(robot: str, loaded: Robot | None = None) -> int:
    """The version of a robot's clicks: its card's, or the loaded robot's if it combines others (`mix`). `loaded` is the
    robot, if it is loaded already.

    Raises as `load_robot`.
    """
    card, name = resolve_robot(robot)
    if not card.takes_argument and not name.argument:
        return card.version
    loaded = load_robot(robot) if loaded is None else loaded
    with raised_as(RobotError, f"robot {card.id} has no usable version"):
        return int(getattr(loaded, "version", card.version))
