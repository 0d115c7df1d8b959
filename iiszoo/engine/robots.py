"""The robot of a run: of this interpreter, or of another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.clicking.loading import load_robot, robot_version
from iiszoo.clicking.recorded import Recorded
from iiszoo.errors import BadOption, few
from iiszoo.remote import Interpreter, RemoteRobot

if TYPE_CHECKING:
    from iiszoo.engine.runs.provenance import Elsewhere
    from iiszoo.protocol import Robot


@dataclass(eq=False)
class RobotReference:
    """A robot by its name; with `interpreter` it runs there, and may be `module:function`.

    It is loaded once, for all that share the reference. A pickled one loads its own, where it arrives; but recorded
    clicks go with it, as another machine may lack their file.
    """

    name: str
    interpreter: Interpreter | None = None
    _loaded: Robot | None = field(default=None, repr=False)

    def load(self) -> Robot:
        """Raises as `load_robot` or `RemoteRobot` does."""
        if self._loaded is None:
            self._loaded = (
                load_robot(self.name) if self.interpreter is None else RemoteRobot(self.name, self.interpreter)
            )
        return self._loaded

    def known(self) -> tuple[int, Elsewhere]:
        """The version of its clicks, and what another interpreter reports of itself. Raises as `load`."""
        loaded = self.load()
        if isinstance(loaded, RemoteRobot):
            return loaded.version, {"robot_worker": loaded.report}
        return robot_version(self.name, loaded), {}

    def check_samples(self, ids: Sequence[str], dataset: str) -> None:
        """Raise `BadOption` if the robot replays clicks, none of them on a sample of the dataset."""
        robot = self.load()
        if isinstance(robot, Recorded) and not any(id in robot.recordings for id in ids):
            raise BadOption(
                f"robot {self.name} has no click on any sample of dataset {dataset}: its clicks are on "
                f"{few(list(robot.recordings))}, and the samples are {few(ids)}; give the clicks of this dataset"
            )

    def release(self) -> None:
        """End its process in another interpreter; `load` starts it again."""
        if isinstance(self._loaded, RemoteRobot):
            self._loaded.end()
            self._loaded = None

    def __getstate__(self) -> dict[str, Any]:
        kept = self._loaded if isinstance(self._loaded, Recorded) else None
        return {**self.__dict__, "_loaded": kept}


def robot_interpreter(python: str | Path | None, timeout: float) -> Interpreter | None:
    """Where `--robot-python` and `--python-timeout` say that the robot runs; None: in this interpreter."""
    return None if python is None else Interpreter(str(python), timeout, "--robot-python")
