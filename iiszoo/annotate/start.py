"""Everything that must be in order before the page is served, so that what is wrong is said at once."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iiszoo.annotate.models import Models
from iiszoo.annotate.security import Gate
from iiszoo.annotate.server import app, listen, serve
from iiszoo.annotate.workplace import Workplace
from iiszoo.builtin.models import DEFAULT
from iiszoo.device import check_device
from iiszoo.errors import IISZooError
from iiszoo.model_reference import resolve, with_flags
from iiszoo.models.runtime import RUNTIME
from iiszoo.remote import Interpreter

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """A page that only needs to be served."""

    work: Workplace
    models: Models
    gate: Gate
    listening: socket.socket
    notices: list[str]

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until Ctrl-C, which raises `KeyboardInterrupt` when everything is saved."""
        try:
            serve(app(self.work, self.models, self.gate, self.notices), self.listening, ready)
        finally:
            self.work.close()


def start(
    directory: Path,
    out: Path,
    *,
    model: str | None = None,
    runtime: str | None = None,
    labels: Sequence[str] = (),
    initial: str | None = None,
    device: str = "cpu",
    host: str = "127.0.0.1",
    port: int = 0,
    python: str | None = None,
    python_timeout: float = 300,
    say: Callable[[str], None] = lambda text: None,
) -> Started:
    """Open the directories, load the model and listen. Raises an `IISZooError`, or `OSError` if `out` is not writable.

    Without `model`, it is the one that the page had last, or the default. Without `runtime`, models run on onnxruntime
    if it is installed and `device` is the CPU.
    """
    interpreter = None if python is None else Interpreter(python, python_timeout)
    reference = None
    if model is not None:
        reference = resolve(model, options=with_flags(model, {RUNTIME: runtime}), interpreter=interpreter)
    if interpreter is None:
        check_device(device)
    listening = listen(host, port)
    try:
        work = Workplace(directory, out, labels, initial)
    except BaseException:
        listening.close()
        raise
    try:
        notices = [f"Left out: {fault}" for fault in work.faults]
        last = str(work.place.get("model") or DEFAULT)
        models = None
        if reference is None and last != DEFAULT:
            try:
                models = _loaded(Models(resolve(last), device, work.journal / "models.json"), say)
            except IISZooError as error:
                notices.append(f"The model of last time cannot be used: {error}")
        if models is None:
            models = _loaded(Models(reference or resolve(DEFAULT), device, work.journal / "models.json"), say)
        taken_back = work.take_back_unanswered()
        notices += [taken_back] if taken_back else []
        work.repair(models.identities)
    except BaseException:
        listening.close()
        work.close()
        raise
    return Started(work, models, Gate(host, listening.getsockname()[1]), listening, notices)


def _loaded(models: Models, say: Callable[[str], None]) -> Models:
    fetched: set[str] = set()

    def progress(file: str, done: int, total: int | None) -> None:
        if file not in fetched and total:
            fetched.add(file)
            say(f"fetching {file}, {total / 1e6:.0f} MB")

    models.load(models.first, progress)
    return models
