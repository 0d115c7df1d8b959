"""The robot of a run: of this interpreter, or of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iiszoo.clicking.loading import load_robot, robot_version
from iiszoo.remote import RemoteRobot

if TYPE_CHECKING:
    from iiszoo.protocol import Robot
    from iiszoo.remote import Interpreter


@dataclass(frozen=True)
class RobotReference:
    """A robot by its name; with `interpreter` it runs there, and may be `module:function`. It can be pickled."""

    name: str
    interpreter: Interpreter | None = None

    def load(self) -> Robot:
        """Raises as `load_robot` or `RemoteRobot` does."""
        return load_robot(self.name) if self.interpreter is None else RemoteRobot(self.name, self.interpreter)

    def known(self) -> tuple[int, dict[str, Any] | None]:
        """The version of its clicks, and what another interpreter reports of itself. Raises as `load`."""
        if self.interpreter is None:
            return robot_version(self.name), None
        there = RemoteRobot(self.name, self.interpreter)
        return there.version, there.report
