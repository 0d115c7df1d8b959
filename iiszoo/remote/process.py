"""A worker process in another interpreter: started, sent requests, and ended, whatever happens to it."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from iiszoo.errors import BadOption
from iiszoo.remote import messages, worker
from iiszoo.remote.messages import Garbled
from iiszoo.tracebacks import RemoteTraceback, bounded, frames_from, place_of

_TAIL = 5
"""Lines of a dead worker's last output that a message repeats."""
_START_SECONDS = 60.0
"""For an interpreter to start and to import numpy, which can take long on a network disk."""

_LINE = 300
"""Characters of such a line that are kept, from its end."""


@dataclass(frozen=True)
class Interpreter:
    """Where models or robots run: `python`, the path or name of a Python >= 3.7 with numpy; `timeout`, the seconds
    after which an unanswered call counts as hanging; `option`, the flag that names it. Raises `BadOption` if there is
    no such program.
    """

    python: str
    timeout: float = 300.0
    option: str = "--python"

    def __post_init__(self) -> None:
        if os.name != "posix":
            raise BadOption(f"another interpreter ({self.option}) needs Linux or macOS")
        if not self.timeout > 0:
            raise BadOption(f"the timeout of another interpreter's answers must be above 0, not {self.timeout:g}")
        found = shutil.which(self.python)
        if found is None:
            raise BadOption(
                f"{self.option} {self.python}: there is no such program; give the path of a Python interpreter"
            )
        object.__setattr__(self, "python", os.path.abspath(found))


class Died(Exception):
    """The worker has ended; the text says how."""


class Failed(Exception):
    """The worker is alive and reports an error: `kind`, the exception's class there, its text and its traceback."""

    def __init__(self, kind: str, text: str, traceback: RemoteTraceback) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind, self.text, self.traceback = kind, text, traceback

    def with_place(self, where: str = "") -> str:
        """As `iiszoo.errors.with_place`."""
        known = "; ".join(filter(None, (place_of(self.traceback), where)))
        return f"{self} ({known})" if known else str(self)


class Process:
    """A running worker. It ends with this object, with this process, or when a reply does not come.

    It does not get the terminal's Ctrl-C (it has its own session). Nothing that it shares has a name that could be left
    behind: memory and socket are inherited as open files.
    """

    def __init__(self, python: str) -> None:
        self._owner = os.getpid()
        self.known: set[str] = set()
        """The ids of the state entries that it has."""
        self._last_words: deque[str] = deque(maxlen=_TAIL)
        ours, theirs = socket.socketpair()
        self._pipe = ours
        self._out, self._in = worker.Area(_shared_memory()), worker.Area(_shared_memory())
        shared = [ours, self._out.file, self._in.file]
        handed_down = [theirs.fileno(), self._out.file.fileno(), self._in.file.fileno()]
        try:
            self._process = subprocess.Popen(
                [python, worker.__file__, *map(str, handed_down)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=handed_down,
                start_new_session=True,
            )
        except OSError as error:
            _close(shared)
            raise BadOption(f"the interpreter {python} cannot be run: {error.strerror or error}") from error
        finally:
            theirs.close()
        self._end = weakref.finalize(self, _kill, self._process, self._owner, shared)
        self._reader = threading.Thread(target=_listen, args=(self._process.stdout, self._last_words), daemon=True)
        self._reader.start()
        try:
            spoken = self._receive(_START_SECONDS, f"did not start within {_START_SECONDS:g} s").get("protocol")
            if spoken != worker.PROTOCOL:
                raise Died(f"uses version {spoken!r:.80} of the protocol, not {worker.PROTOCOL}")
        except BaseException:
            self.end()
            raise

    @property
    def usable(self) -> bool:
        """Whether it has not been ended, and was started by this process rather than by the parent of this fork."""
        return self._end.alive and self._owner == os.getpid()

    def begin(self) -> None:
        """Begin a new request, dropping the arrays of an earlier one."""
        self._out.clear()

    def put(self, array: Any) -> dict[str, Any]:
        """Add a numpy array to the next request. Raises `OSError` if no memory is left."""
        return self._out.put(array)

    def get(self, place: dict[str, Any]) -> Any:
        """A numpy array of the last reply. Raises `Garbled` if there is none at `place`."""
        try:
            at, shape, dtype = place["at"], place["shape"], np.dtype(place["dtype"])
            sound = all(type(n) is int and n >= 0 for n in (at, *shape)) and dtype.kind in "biufc"
            end = at + dtype.itemsize * math.prod(shape)
            sound = sound and end <= os.fstat(self._in.file.fileno()).st_size
        except (LookupError, TypeError, ValueError) as error:
            raise Garbled("a position without an array") from error
        if not sound:
            raise Garbled("a position without an array")
        return self._in.get(place)

    def ask(self, do: str, what: dict[str, Any], drop: list[str], timeout: float | None) -> dict[str, Any]:
        """Send a request and wait for its reply. Raises `Died`, or `Failed` with the worker's own error.

        An interruption ends the worker, because its reply would be taken for the next request's.
        """
        late = "did not finish an answer that it began"
        if timeout is not None:
            late = f"did not answer within {timeout:g} s (--python-timeout)"
        try:
            self._send({"do": do, "with": what, "drop": drop}, timeout or _START_SECONDS)
            reply = self._receive(timeout, late)
            error = reply.get("error")
            if "error" in reply and not (
                isinstance(error, dict) and {"type", "text", "traceback", "frames"} <= error.keys()
            ):
                raise self._garbled("an error without a text")
        except BaseException:
            self.end()
            raise
        if error is not None:
            kind, text = str(error["type"])[:100], " ".join(str(error["text"])[:2000].split())
            raise Failed(kind, text, RemoteTraceback(bounded(str(error["traceback"])), frames_from(error["frames"])))
        return reply

    def end(self) -> None:
        """Kill it and every process that it started."""
        self._end()

    def _send(self, request: dict[str, Any], seconds: float) -> None:
        try:
            messages.send(self._pipe, request, seconds)
        except TimeoutError:
            raise Died(f"did not take a request within {seconds:g} s{self._words()}") from None
        except OSError:
            raise Died(self._how_it_ended()) from None

    def _receive(self, seconds: float | None, late: str) -> dict[str, Any]:
        try:
            return messages.receive(self._pipe, seconds, lambda: self._process.poll() is None)
        except TimeoutError:
            raise Died(f"{late}{self._words()}") from None
        except Garbled as error:
            raise self._garbled(str(error)) from error
        except (EOFError, OSError):
            raise Died(self._how_it_ended()) from None

    def _garbled(self, what: str) -> Died:
        return Died(f"answers with something other than iiszoo's protocol ({what}){self._words()}")

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._end()
            return f"closed the connection, and goes on without answering{self._words()}"
        self._end()
        self._reader.join(1)
        if code >= 0:
            return f"ended with exit code {code}{self._words()}"
        memory = ", often for lack of memory" if -code == signal.SIGKILL else ""
        with suppress(ValueError):  # a signal without a name
            return f"was killed by {signal.Signals(-code).name}{memory}{self._words()}"
        return f"was killed by signal {-code}{self._words()}"

    def _words(self) -> str:
        """The worker's last output, for use within a sentence."""
        words = " / ".join(line for line in list(self._last_words) if line)
        return f"; its last output: {words}" if words else ""


def _listen(words: IO[bytes], last_words: deque[str]) -> None:
    """Keep the last lines; even of an endless line only the last characters are kept in memory."""
    rest = b""
    with words:
        while chunk := words.read1(1 << 16):  # type: ignore[attr-defined]
            *lines, rest = (rest + chunk).split(b"\n")
            last_words.extend(_legible(line) for line in lines[-_TAIL:])
            rest = rest[-4 * _LINE :]
    last_words.append(_legible(rest))


def _legible(line: bytes) -> str:
    text = line[-4 * _LINE :].decode("utf-8", "replace").strip()[-_LINE:]
    return "".join(c if c.isprintable() else " " for c in text)


def _close(shared: Sequence[Any]) -> None:
    for file in shared:
        file.close()


def _kill(process: subprocess.Popen[bytes], owner: int, shared: Sequence[Any]) -> None:
    _close(shared)
    if os.getpid() != owner:
        return  # a fork, to which the worker does not belong
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _shared_memory() -> int:
    """An open, unnamed file in memory, which no kind of death leaves behind."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("iiszoo")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
