"""The worker of `--python`: only this file is run, by its path, in the interpreter that the user names.

It needs Python >= 3.7 and numpy there, and nothing of iiszoo. If torch is installed, a model takes and returns tensors,
as the standard format says; if not, numpy arrays of the same shapes and types. A model that is named by its id, not as
`module:function`, needs iiszoo and its plugin there.

The protocol (version `PROTOCOL`): a message is a JSON object, framed by `multiprocessing.connection`; every request has
one reply. Arrays do not go through the socket: they are in a file of shared memory, one per direction, rewritten with
every message (`Area`), and the message says where. What the model prints goes to this process's own stdout and stderr,
which are not part of the protocol.

| request                                      | reply                                                         |
|----------------------------------------------|---------------------------------------------------------------|
| (none: sent once at the start)               | `protocol`                                                    |
| `identify`: model, checkpoint, options, fetch | `identity`, `threshold`                                      |
| `load`: model, checkpoint, options, device, threads | `name`, `ragged`, `report` (interpreter, versions, device) |
| `init_z`: x                                  | `prev_output`, `z`                                            |
| `call`: x, z, again, pcs, ncs                | `y`, `prev_output`, `z`                                       |
| `load_robot`: robot                          | `version`, `report`                                           |
| `click`: what a robot gets, `seeds` for `generators` | `pcs`, `ncs`, as the robot returns them               |

A request may also `drop` entries of states. If it fails, the reply is `{"error": {"type", "text", "traceback",
"frames"}}`; `frames` are the traceback's lines, outermost first: `[file, line, function, module]`.

States: the model's z stays here, split by entry and batch element, each part under an id that the client knows; a new
part's bytes are sent once, so that a new worker can be given them (`again`) after this one has died.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import importlib
import importlib.util
import json
import os
import pickle
import platform
import queue
import re
import signal
import sys
import threading
import traceback
import uuid
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

PROTOCOL = 3
"""Version of the protocol; client and worker use this same file, so they differ only if one of two copies is stale."""

LIBRARIES = (
    "iiszoo", "torch", "torchvision", "numpy", "opencv-python", "mmcv", "mmcv-full", "timm", "segment-anything",
    "onnxruntime",
)  # fmt: skip


class Area:
    """A file of shared memory that one process writes and the other reads; it grows to the largest message."""

    def __init__(self, fd: int) -> None:
        self.file = open(fd, "r+b", buffering=0)  # noqa: SIM115  lives as long as the process
        self.end = 0

    def clear(self) -> None:
        """Begin a new message."""
        self.end = 0

    def put(self, array: Any) -> dict[str, Any]:
        """Append an array to the message; returns its position. Raises `OSError` if there is no room."""
        array = np.asarray(array, order="C")
        place = {"at": self.end, "shape": list(array.shape), "dtype": array.dtype.str}
        self.file.seek(self.end)
        left = _bytes_of(array)
        while len(left):
            left = left[self.file.write(left) :]
        self.end += array.nbytes
        return place

    def get(self, place: dict[str, Any]) -> Any:
        """A copy of the array at `place`. Raises `EOFError` if the file is shorter."""
        array = np.empty(place["shape"], np.dtype(place["dtype"]))
        self.file.seek(place["at"])
        left = _bytes_of(array)
        while len(left):
            n = self.file.readinto(left)
            if not n:
                raise EOFError("shared memory ends before the array does")
            left = left[n:]
        return array


def _bytes_of(array: Any) -> Any:
    return memoryview(array.reshape(-1).view(np.uint8)) if array.nbytes else b""


class Host:
    """The model, and the entries of all states that the client still has."""

    def __init__(self, inbox: Area, outbox: Area) -> None:
        self.inbox, self.outbox = inbox, outbox
        self.torch: Any = None
        self.function: Any = None
        self.device = "cpu"
        self.entries: dict[str, Any] = {}
        self._array: Any = np.ndarray
        self._name, self._count = uuid.uuid4().hex, 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request. Raises what the model raises."""
        for name in request.get("drop", ()):
            self.entries.pop(name, None)
        self.outbox.clear()
        reply: dict[str, Any] = getattr(self, request["do"])(**request["with"])
        return reply

    def identify(self, model: str, checkpoint: str | None, options: dict[str, Any], fetch: bool) -> dict[str, Any]:
        """What determines the model's outputs, and its threshold, without loading it; `fetch`: its weights first."""
        if is_function(model):
            return {"identity": {"id": model, "code": _code_of(model), "options": {}, "weights": []}, "threshold": 0.5}
        reference = self._reference(model, checkpoint, options)
        if fetch:
            reference = reference.fetch()
        return {"identity": reference.identity(), "threshold": reference.threshold}

    def _reference(self, model: str, checkpoint: str | None, options: dict[str, Any]) -> Any:
        return _iiszoo("model_reference", model).resolve(model, checkpoint, options)

    def load(
        self,
        model: str,
        checkpoint: str | None,
        options: dict[str, Any],
        device: str,
        threads: int,
        threshold: float | None,
    ) -> dict[str, Any]:
        """Load the model, at the run's threshold if it has `at_threshold` (`iiszoo.protocol.Model.at_threshold`)."""
        if importlib.util.find_spec("torch") is not None:
            self.torch = importlib.import_module("torch")
            self.torch.set_num_threads(threads)
            self.torch.empty(0, device=device)  # raises if there is no such device
            self._array = self.torch.Tensor
        elif device != "cpu":
            raise ValueError(f"device {device!r} needs torch, which is not installed there")
        self.device = device
        self.function = (
            _function(model) if is_function(model) else self._reference(model, checkpoint, options).load(device)
        )
        if threshold is not None and hasattr(self.function, "at_threshold"):
            self.function = self.function.at_threshold(threshold)
        return {
            "name": model if is_function(model) else self.function.name,
            "ragged": bool(getattr(self.function, "ragged", False)),
            "report": self._report(model),
        }

    def _report(self, model: str) -> dict[str, Any]:
        report = {
            "interpreter": sys.executable,
            "python": platform.python_version(),
            "device": self.device,
            "libraries": {name: found for name, found in ((n, _version(n)) for n in LIBRARIES) if found},
        }
        if self.device.startswith("cuda"):
            report["device"] = f"{self.device} ({self.torch.cuda.get_device_name(self.device)})"
        if not is_function(model):
            found = _iiszoo("plugins", model).installed()
            report["plugins"] = {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in found}
        return report

    def init_z(self, x: Any) -> dict[str, Any]:
        images = self._values(x)
        init_z = getattr(self.function, "init_z", None)
        with self._quiet():
            z = dict(init_z(images)) if init_z is not None else {}
        return self._state(z, len(images), {}, {})

    def call(
        self, x: Any, prev_output: Any, z: dict[str, list[str]], again: dict[str, Any], pcs: Any, ncs: Any
    ) -> dict[str, Any]:
        for name, packed in again.items():
            self.entries[name] = self._unpack(packed)
        images = self._values(x)
        given = {key: self._join([self.entries[name] for name in names]) for key, names in z.items()}
        if prev_output is not None:
            given["prev_output"] = self._values(prev_output)
        with self._quiet():
            answer = self.function(images, dict(given), _clicks(pcs), _clicks(ncs))
        if not isinstance(answer, tuple):
            answer = answer, dict(given, prev_output=answer)
        if len(answer) != 2 or not isinstance(answer[1], dict):
            raise FormatError(f"must return y or (y, z) with z a dict, not a tuple of {len(answer)}")
        y, after = answer
        packed = self._pack_values(y, "y")
        return dict(self._state(after, len(images), given, z, (y, packed)), y=packed)

    def load_robot(self, robot: str) -> dict[str, Any]:
        """Load a robot; `version` changes with the file that defines a function."""
        if importlib.util.find_spec("torch") is not None:
            self.torch = importlib.import_module("torch")
        if is_function(robot):
            self.function = _function(robot)
            version = int(_code_of(robot).split()[1][:12], 16)
        else:
            loading = _iiszoo("clicking.loading", robot)
            self.function, version = loading.load_robot(robot), int(loading.robot_version(robot))
        return {"version": version, "report": self._report(robot)}

    def click(
        self,
        outputs: Any,
        targets: Any,
        pcs: Any,
        ncs: Any,
        n_points: int,
        ignore: Any,
        seeds: Any,
        threshold: float,
        samples: Any,
    ) -> dict[str, Any]:
        """The robot's turn. Rows and columns of the answer become whole numbers."""
        generators = (
            None if seeds is None else [None if seed is None else np.random.default_rng(seed) for seed in seeds]
        )
        with self._quiet():
            answer = self.function(
                self._values(outputs),
                self._values(targets),
                _clicks(pcs),
                _clicks(ncs),
                n_points,
                ignore=None if ignore is None else self._values(ignore),
                generators=generators,
                threshold=threshold,
                samples=samples,
            )
        after_pcs, after_ncs = answer
        return {"pcs": _whole(after_pcs), "ncs": _whole(after_ncs)}

    def _quiet(self) -> Any:
        return self.torch.no_grad() if self.torch is not None else contextlib.nullcontext()

    def _values(self, packed: Any) -> Any:
        """A tensor, or a list of them, on the model's device; arrays if there is no torch."""
        if isinstance(packed, list):
            return [self._values(one) for one in packed]
        array = self.inbox.get(packed)
        return array if self.torch is None else self.torch.from_numpy(array).to(self.device)

    def _pack_values(self, value: Any, what: str) -> Any:
        if isinstance(value, list):
            return [self._pack_values(one, what) for one in value]
        if not isinstance(value, self._array):
            kind = "an array" if self.torch is None else "a tensor"
            raise FormatError(f"must give {kind}, or a list of them, as {what}, not {type(value).__name__}")
        if self.torch is not None and (value.layout != self.torch.strided or value.device.type == "meta"):
            found = "on the meta device" if value.device.type == "meta" else str(value.layout).replace("torch.", "")
            raise FormatError(f"must give a dense tensor of values as {what}, not one that is {found}")
        try:
            return self.outbox.put(value if self.torch is None else value.detach().cpu().numpy())
        except (TypeError, RuntimeError) as error:  # a type that numpy does not have
            raise FormatError(f"must give {what} in float32, not {value.dtype}") from error

    def _state(
        self, z: dict[str, Any], n: int, given: dict[str, Any], names: dict[str, list[str]], y: Any = (None, None)
    ) -> dict[str, Any]:
        """`prev_output` and `z` of a reply. Entries that the model passed through keep their ids and are not sent."""
        previous = z.get("prev_output")
        if previous is None:
            packed = None
        else:
            packed = y[1] if previous is y[0] else self._pack_values(previous, "z['prev_output']")
        entries = {}
        for key, value in z.items():
            if key == "prev_output":
                continue
            if key in names and value is given[key]:
                entries[key] = [{"id": name} for name in names[key]]
            else:
                entries[key] = [self._keep(element) for element in self._elements(key, value, n)]
        return {"prev_output": packed, "z": entries}

    def _join(self, elements: list[Any]) -> Any:
        """One batched value from its elements, like `iiszoo.protocol.join`."""
        first = elements[0]
        if isinstance(first, self._array) and all(
            isinstance(e, self._array) and e.shape == first.shape and e.dtype == first.dtype for e in elements
        ):
            return first[None] if len(elements) == 1 else (self.torch or np).stack(elements)
        return list(elements)

    def _elements(self, key: str, value: Any, n: int) -> list[Any]:
        indexable = isinstance(value, list) or (isinstance(value, self._array) and len(value.shape) > 0)
        if not indexable or len(value) != n:
            shape = tuple(value.shape) if isinstance(value, self._array) else type(value).__name__
            raise FormatError(
                f"must keep z indexable by batch element, with a tensor or list of {n} in every entry, but {key!r} is "
                f"{f'a list of {len(value)}' if isinstance(value, list) else shape}"
            )
        return [value[b] for b in range(n)]

    def _keep(self, element: Any) -> dict[str, Any]:
        self._count += 1
        name = f"{self._name}-{self._count}"
        self.entries[name] = element
        return {"id": name, "new": self._pack(element)}

    def _pack(self, element: Any) -> dict[str, Any] | None:
        """An entry's bytes; None if it cannot be turned into bytes, and so cannot outlive this process."""
        if self.torch is not None and isinstance(element, self._array):
            with contextlib.suppress(TypeError, RuntimeError):  # types and layouts that numpy does not have
                place = self.outbox.put(element.detach().cpu().numpy())
                return {"kind": f"tensor on {element.device}", "place": place}
            element = element.clone()  # for a part of a batch, pickle would write the whole batch
        try:
            data = pickle.dumps(element, 4)
        except Exception:  # noqa: BLE001  a class may raise anything when it is pickled
            return None
        return {"kind": "pickle", "place": self.outbox.put(np.frombuffer(data, np.uint8))}

    def _unpack(self, packed: dict[str, Any]) -> Any:
        array = self.inbox.get(packed["place"])
        if packed["kind"] == "pickle":
            return pickle.loads(array.tobytes())
        return self.torch.from_numpy(array).to(packed["kind"][len("tensor on ") :])


class FormatError(Exception):
    """An output that breaks the standard format; the text follows "model NAME"."""


def _clicks(clicks: Any) -> Any:
    return [[[tuple(click) for click in element] for element in interaction] for interaction in clicks]


def _whole(clicks: Any) -> Any:
    return [[[[int(row), int(col)] for row, col in element] for element in interaction] for interaction in clicks]


def is_function(model: str) -> bool:
    """Whether this is `module:function`, not an id (like `iiszoo.object_path.is_function`)."""
    return re.match(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", model) is not None


def _function(model: str) -> Any:
    module, _, name = model.partition(":")
    function = getattr(importlib.import_module(module), name)
    function = function() if isinstance(function, type) else function
    if not callable(function):
        raise TypeError(f"{model} is not callable")
    return function


def _code_of(model: str) -> str:
    """The hash of the file that defines a function."""
    module = model.partition(":")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}")
    with open(spec.origin, "rb") as file:
        return f"sha256 {hashlib.sha256(file.read()).hexdigest()}"


def _iiszoo(part: str, model: str) -> Any:
    """A module of the iiszoo installed here, which may differ from the one that this file belongs to."""
    if importlib.util.find_spec("iiszoo") is None:
        raise ModuleNotFoundError(
            f"{model!r} cannot be found by its id: {sys.executable} has no iiszoo; install iiszoo and the "
            "plugin there, or name a function as module:function"
        )
    return importlib.import_module(f"iiszoo.{part}")


def _version(distribution: str) -> str | None:
    try:
        return str(importlib.import_module("importlib.metadata").version(distribution))
    except ImportError:  # not installed; or Python 3.7, whose standard library has no such module
        version = getattr(sys.modules.get(distribution), "__version__", None)
        return None if version is None else str(version)


def _listen(connection: Connection, requests: queue.Queue[Any]) -> None:
    """Receive requests. If the client is gone, nothing else would end this process and those that it started."""
    try:
        while True:
            requests.put(json.loads(connection.recv_bytes()))
    except (EOFError, OSError):
        os.killpg(os.getpid(), signal.SIGKILL)


def _frames(error: BaseException) -> list[list[Any]]:
    """The lines of an exception's traceback outside this file; for code that does not compile, that code's is last."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code, module = trace.tb_frame.f_code, trace.tb_frame.f_globals.get("__name__")
        if code.co_filename != __file__:
            frames.append([code.co_filename, trace.tb_lineno, code.co_name, str(module)])
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        frames.append([error.filename, error.lineno, "", ""])
    return frames[:100] + frames[100:][-100:]


def _described(error: BaseException) -> dict[str, Any]:
    """An exception, shortened; its own methods may raise anything."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error)[:2000].split())
    except BaseException as second:  # noqa: BLE001  see above
        text = f"(no text: its str() raises {type(second).__name__})"
    try:
        lines, frames = traceback.format_exc()[-20000:], _frames(error)
    except BaseException:  # noqa: BLE001
        lines, frames = kind, []
    return {"type": kind, "text": text, "traceback": lines, "frames": frames}


def main(connection: Connection, inbox: Area, outbox: Area) -> None:
    """Serve until the client closes the connection."""
    requests: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    connection.send_bytes(json.dumps({"protocol": PROTOCOL}).encode())
    host = Host(inbox, outbox)
    while True:
        request = requests.get()
        try:
            reply = host.answer(request)
        except BaseException as error:  # noqa: BLE001  a model may raise anything, and leave with sys.exit()
            reply = {"error": _described(error)}
        connection.send_bytes(json.dumps(reply).encode())


if __name__ == "__main__":
    faulthandler.enable()  # a segmentation fault leaves a traceback on stderr
    sys.path[0:1] = []  # this file's directory
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    main(Connection(int(sys.argv[1])), Area(int(sys.argv[2])), Area(int(sys.argv[3])))
