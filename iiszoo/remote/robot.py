"""A robot of another interpreter, as a robot of the standard format."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from iiszoo import errors
from iiszoo.errors import BadOption, IISZooError, RobotError
from iiszoo.protocol import Clicks
from iiszoo.remote.model import plain_clicks, started
from iiszoo.remote.process import Died, Failed, Interpreter


class RemoteRobot:
    """A robot that runs in a worker of `interpreter`: `robot` is `module:function` there, or, if iiszoo is installed
    there too, the name of a robot.

    Called as any robot (`iiszoo.protocol.Robot`). There it gets tensors (arrays without torch), and for each element a
    generator that is seeded by the element's own here. `version` is that of its clicks: for a function, it follows from
    the file that defines it. `report` tells the interpreter's versions.

    It can be called from several threads (one is served at a time). Raises `BadOption` if it cannot be loaded;
    `RobotError` from a call if the worker dies or does not answer within the interpreter's time limit, which ends the
    run: what was done is kept.
    """

    def __init__(self, robot: str, interpreter: Interpreter) -> None:
        self.name, self.interpreter = robot, interpreter
        self._lock = threading.Lock()
        self._process = started(interpreter)
        loaded = self._ask("load_robot", {"robot": robot}, None)
        version, report = loaded.get("version"), loaded.get("report")
        if type(version) is not int or not isinstance(report, dict):
            self._process.end()
            raise BadOption(f"{interpreter.option} {interpreter.python} answers with something other than a robot")
        self.version: int = version
        self.report: dict[str, Any] = report

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
        threshold: float = 0.5,
        samples: Sequence[str] | None = None,
    ) -> tuple[Clicks, Clicks]:
        """The click lists that the robot there returns."""
        drawn = [] if generators is None else [None if one is None else int(one.integers(2**62)) for one in generators]
        with self._lock:
            if not self._process.usable:
                raise RobotError(f"the worker of robot {self.name} ({self.interpreter.python}) has ended")

            def put(tensor: Tensor) -> dict[str, Any]:
                return self._process.put(tensor.detach().cpu().numpy())

            self._process.begin()
            what = {
                "outputs": put(outputs),
                "targets": put(targets),
                "pcs": plain_clicks(pcs),
                "ncs": plain_clicks(ncs),
                "n_points": n_points,
                "ignore": None if ignore is None else put(ignore),
                "seeds": None if generators is None else drawn,
                "threshold": threshold,
                "samples": None if samples is None else list(samples),
            }
            made = self._ask("click", what, self.interpreter.timeout)
        try:
            after_pcs, after_ncs = (_clicks(made[kind]) for kind in ("pcs", "ncs"))
        except (KeyError, TypeError, ValueError) as error:
            raise RobotError(f"robot {self.name} returned something other than lists of clicks") from error
        return after_pcs, after_ncs

    def end(self) -> None:
        """End the worker; the robot cannot be called any more."""
        self._process.end()

    def _ask(self, do: str, what: dict[str, Any], timeout: float | None) -> dict[str, Any]:
        where = f"in {self.interpreter.python}"
        try:
            return self._process.ask(do, what, [], timeout)
        except Failed as failed:
            if do == "click":
                raise RobotError(f"robot {self.name} raised {failed.with_place(where)}") from failed.traceback
            self._process.end()
            kind = getattr(errors, failed.kind, None)
            if isinstance(kind, type) and issubclass(kind, IISZooError):
                raise kind(f"{failed.text} ({where})") from failed.traceback
            raise BadOption(f"robot {self.name} cannot be loaded: {failed.with_place(where)}") from failed.traceback
        except Died as died:
            kept = "; what was done is kept, and the same command continues from here" if do == "click" else ""
            raise RobotError(f"the worker of robot {self.name} ({self.interpreter.python}) {died}{kept}") from None


def _clicks(found: Any) -> Clicks:
    """Raises `TypeError` or `ValueError` for anything but nested lists of pairs of numbers."""
    return [[[(int(row), int(col)) for row, col in element] for element in interaction] for interaction in found]
