"""A model of another interpreter, as a model of the standard format."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo import errors
from iiszoo.errors import BadOption, IISZooError, ModelError, WorkerDied, WorkerLost, one_line
from iiszoo.object_path import is_function
from iiszoo.protocol import Clicks, Images, Model, Outputs, State, as_model
from iiszoo.remote.messages import Garbled
from iiszoo.remote.process import Died, Failed, Interpreter, Process

_log = logging.getLogger(__name__)

DEATHS_IN_A_ROW = 5
"""This many deaths of a worker in a row, without one answered click between them, end a run: another start would not
help.
"""


class Parcel:
    """One entry of one session's state: made by the worker, and opaque here.

    `data` is its bytes (uint8), from which a new worker restores it; None if it could not be turned into bytes. It is
    immutable: a copy is the parcel itself, and two with the same bytes are equal. The worker drops its own copy when
    this object is garbage.
    """

    __hash__ = None  # type: ignore[assignment]  # equal by bytes

    def __init__(self, id: str, kind: str, data: np.ndarray[Any, Any] | None, dropped: deque[str]) -> None:
        self.id, self.kind, self.data = id, kind, data
        self._dropped = dropped

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parcel) or self.data is None or other.data is None:
            return self is other
        return (self.kind, self.data.dtype, self.data.shape) == (other.kind, other.data.dtype, other.data.shape) and (
            self.data.tobytes() == other.data.tobytes()
        )

    def __copy__(self) -> Parcel:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Parcel:
        return self

    def __del__(self) -> None:
        self._dropped.append(self.id)


class RemoteFunction:
    """`init_z` and the call of a model that runs in a worker of `interpreter`.

    Images and outputs go through shared memory at each call. A state's other entries stay in the worker: z contains a
    list of `Parcel`s for each. When the worker dies, that call raises `WorkerDied`; the next one starts another worker,
    which gets the states that it needs, so no other session is lost. It can be called from several threads (one is
    served at a time), pickled, and used after a fork: each process gets its own worker.
    """

    def __init__(
        self,
        model: str,
        interpreter: Interpreter,
        checkpoint: str | None,
        device: str,
        options: dict[str, Any],
        threshold: float | None = None,
    ) -> None:
        self.interpreter, self.name = interpreter, model
        self._load: dict[str, Any] = {
            "model": model,
            "checkpoint": checkpoint,
            "options": options,
            "device": device,
            "threshold": threshold,
        }
        self._begin()
        began = time.monotonic()
        loaded = self._start(None)  # no time limit: it may fetch weights
        self._load_seconds = time.monotonic() - began
        self.name = loaded["name"]
        self.ragged: bool = loaded["ragged"]
        self.report: dict[str, Any] = loaded["report"]

    def _begin(self) -> None:
        self._process: Process | None = None
        self._lock = threading.Lock()
        self._dropped: deque[str] = deque()
        self._deaths = 0

    def __getstate__(self) -> dict[str, Any]:
        own = ("_process", "_lock", "_dropped", "_deaths")
        return {key: value for key, value in vars(self).items() if key not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def init_z(self, x: Images) -> State:
        """The worker's state; raises `ModelError` (`WorkerDied`), as the call does."""
        with self._lock:
            reply = self._ask(lambda process: ("init_z", {"x": _put(process, x)}))
            with self._understood():
                return self._state(reply, {}, None)

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        parcels = {key: value for key, value in z.items() if key != "prev_output"}
        for key, value in parcels.items():
            if not isinstance(value, list) or not all(isinstance(part, Parcel) for part in value):
                raise ModelError(f"model {self.name} runs in another interpreter, and z[{key!r}] does not come from it")

        def request(process: Process) -> tuple[str, dict[str, Any]]:
            return "call", {
                "x": _put(process, x),
                "prev_output": _put(process, z["prev_output"]) if "prev_output" in z else None,
                "z": {key: [part.id for part in parts] for key, parts in parcels.items()},
                "again": self._again(process, [part for parts in parcels.values() for part in parts]),
                "pcs": plain_clicks(pcs),
                "ncs": plain_clicks(ncs),
            }

        with self._lock:
            reply = self._ask(request)
            with self._understood():
                y = self._get(reply["y"])
                known = {part.id: part for parts in parcels.values() for part in parts}
                after = self._state(reply, known, y)
            self._deaths = 0
            return y, after

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """While a reply is read: a malformed one ends the worker as its death does."""
        try:
            yield
        except Exception as error:
            assert self._process is not None
            self._process.end()
            what = str(error) if isinstance(error, Garbled) else one_line(error)
            raise self._died(Died(f"answers with something other than iiszoo's protocol ({what})")) from error

    def _ask(self, request: Callable[[Process], tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        process = self._running()
        try:
            process.begin()
            do, arguments = request(process)
            drop = [self._dropped.popleft() for _ in range(len(self._dropped))]
            process.known.difference_update(drop)
            reply = process.ask(do, arguments, drop, self.interpreter.timeout)
        except Failed as failed:
            what = (
                failed.text
                if failed.kind == "FormatError"
                else f"raised {failed.with_place(f'in {self.interpreter.python}')}"
            )
            raise ModelError(f"model {self.name} {what}") from failed.traceback
        except Died as died:
            raise self._died(died) from None
        return reply

    def _running(self) -> Process:
        """The worker, or a new one if there is no usable one."""
        if self._process is None or not self._process.usable:
            try:
                self._start(max(self.interpreter.timeout, 3 * self._load_seconds))
            except IISZooError as error:
                raise WorkerLost(f"{error}; what was done is kept, and the same command continues from here") from error
        assert self._process is not None
        return self._process

    def _start(self, timeout: float | None) -> dict[str, Any]:
        process = started(self.interpreter)
        what = {**self._load, "threads": torch.get_num_threads()}
        wanted = {"name": str, "ragged": bool, "report": dict}
        loaded = _loaded(process, "load", what, timeout, self.name, self.interpreter, wanted)
        self._process = process
        return loaded

    def _died(self, died: Died) -> IISZooError:
        self._process = None
        self._deaths += 1
        message = f"the worker of model {self.name} ({self.interpreter.python}) {died}"
        if self._deaths >= DEATHS_IN_A_ROW:
            return WorkerLost(
                f"{message}; that was the {DEATHS_IN_A_ROW}th death without an answered click in between, so the run "
                "ends: what was done is kept, and the same command continues from here"
            )
        _log.warning("%s; a new one is started", message)
        return WorkerDied(message)

    def _again(self, process: Process, parts: Sequence[Parcel]) -> dict[str, Any]:
        """Those of the parcels that the worker does not have, because another one made them."""
        again = {}
        for part in parts:
            if part.id not in process.known:
                if part.data is None:
                    raise WorkerDied(
                        f"the state of this session was in a worker of model {self.name} that died, and it contains "
                        "an object that cannot be pickled"
                    )
                again[part.id] = {"kind": part.kind, "place": process.put(part.data)}
        process.known.update(again)
        return again

    def _get(self, packed: Any) -> Any:
        if isinstance(packed, list):
            return [self._get(one) for one in packed]
        assert self._process is not None
        return torch.from_numpy(self._process.get(packed))

    def _state(self, reply: dict[str, Any], known: dict[str, Parcel], y: Outputs | None) -> State:
        z: State = {
            key: [known[e["id"]] if "new" not in e else self._parcel(e) for e in entries]
            for key, entries in reply["z"].items()
        }
        previous = reply["prev_output"]
        if previous is not None:
            z["prev_output"] = y if previous == reply.get("y") else self._get(previous)
        return z

    def _parcel(self, entry: dict[str, Any]) -> Parcel:
        assert self._process is not None
        self._process.known.add(entry["id"])
        new = entry["new"]
        if new is None:
            return Parcel(entry["id"], "", None, self._dropped)
        return Parcel(entry["id"], new["kind"], self._process.get(new["place"]), self._dropped)


@dataclass(frozen=True)
class RemoteReference:
    """A model that runs in another interpreter (`iiszoo.model_reference.ModelReference`).

    `model` is its name there: `module:function`, or an id if iiszoo is installed there too. `known` is what that
    interpreter reports of it.
    """

    model: str
    interpreter: Interpreter
    checkpoint: Path | None
    options: Mapping[str, Any] = field(hash=False)
    known: Mapping[str, Any] = field(hash=False)

    @classmethod
    def identified(
        cls, model: object, interpreter: Interpreter, checkpoint: Path | None, options: Mapping[str, Any]
    ) -> RemoteReference:
        """The reference of what `model` names there. Raises `BadOption` if the interpreter cannot be used, otherwise
        as `iiszoo.model_reference.resolve` does.
        """
        if not isinstance(model, str):
            raise BadOption(
                "a model of another interpreter (--python) must be given by name: module:function, or an id"
            )
        if is_function(model) and (checkpoint is not None or options):
            raise BadOption(f"{model} is a bare function: it takes no checkpoint and no options")
        unknown = cls(model, interpreter, checkpoint, options, {})
        return replace(unknown, known=unknown._identify(fetch=False))

    @property
    def name(self) -> str:
        return str(self.known["identity"]["id"])

    @property
    def threshold(self) -> float:
        return float(self.known["threshold"])

    def identity(self) -> dict[str, Any]:
        return dict(self.known["identity"])

    def fetch(self, fetching: object = None) -> RemoteReference:
        """Fetch the weights in the other interpreter, which does not report its progress."""
        return replace(self, known=self._identify(fetch=True))

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        """`device` is the other interpreter's; images and outputs are on the CPU here."""
        function = RemoteFunction(
            self.model, self.interpreter, self._checkpoint(), device, dict(self.options), threshold
        )
        return as_model(function, function.name)

    def _identify(self, *, fetch: bool) -> dict[str, Any]:
        process = started(self.interpreter)
        try:
            what = {
                "model": self.model,
                "checkpoint": self._checkpoint(),
                "options": dict(self.options),
                "fetch": fetch,
            }
            wanted = {"identity": dict, "threshold": float}
            return _loaded(process, "identify", what, None, self.model, self.interpreter, wanted)
        finally:
            process.end()

    def _checkpoint(self) -> str | None:
        return None if self.checkpoint is None else os.path.abspath(self.checkpoint)


def report_of(model: Model) -> dict[str, Any] | None:
    """The report of the interpreter that a model runs in, with its versions; None for a model of this one."""
    return model.function.report if isinstance(model.function, RemoteFunction) else None


def started(interpreter: Interpreter) -> Process:
    """A new worker there. Raises `BadOption` if the interpreter cannot be used."""
    try:
        return Process(interpreter.python)
    except Died as died:
        raise BadOption(
            f"{interpreter.option} {interpreter.python} cannot be used; it needs Python >= 3.7 and numpy, but it {died}"
        ) from None


def _loaded(
    process: Process,
    do: str,
    what: dict[str, Any],
    timeout: float | None,
    name: str,
    interpreter: Interpreter,
    wanted: dict[str, type],
) -> dict[str, Any]:
    """The reply to a request about the model as a whole, with an entry of the `wanted` type by each name. An error of
    iiszoo's own there is raised here with its text.
    """
    try:
        reply = process.ask(do, what, [], timeout)
        lacking = [key for key, kind in wanted.items() if not isinstance(reply.get(key), kind)]
        if lacking or (do == "identify" and not isinstance(reply["identity"].get("id"), str)):
            process.end()
            raise Died(f"answers with something other than iiszoo's protocol (no {(lacking or ['identity'])[0]})")
        return reply
    except Failed as failed:
        process.end()
        kind = getattr(errors, failed.kind, None)
        if isinstance(kind, type) and issubclass(kind, IISZooError):
            raise kind(f"{failed.text} (in {interpreter.python})") from failed.traceback
        cause = failed.with_place()
        raise BadOption(f"model {name} cannot be loaded in {interpreter.python}: {cause}") from failed.traceback
    except Died as died:
        raise ModelError(f"model {name} cannot be loaded in {interpreter.python}: its worker {died}") from None


def _put(process: Process, value: Any) -> Any:
    if isinstance(value, Tensor):
        return process.put(value.detach().cpu().numpy())
    return [_put(process, one) for one in value]


def plain_clicks(clicks: Clicks) -> Any:
    """Clicks as JSON has them; a robot's rows and columns may be numpy's integers."""
    return [[[[int(row), int(col)] for row, col in element] for element in interaction] for interaction in clicks]
