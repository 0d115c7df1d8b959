"""The log of one image: what the person did, in order, one line of JSON each.

    {"n": 3, "at": 1764224985.125, "do": "click", "row": 120, "col": 80, "positive": true, "model": "smp/unet-lite0"}

A line is written in one call before its consequences are shown, so that a killed process loses at most a line that was
cut off, which is removed when the log is opened again. `KINDS` lists what can be done; `iiszoo.annotate.document` says
what it means.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.errors import RunError

Event = Mapping[str, Any]
"""`n` counts from 1, `at` is the time in seconds since 1970, `do` one of `KINDS`; the rest depends on `do`."""

DEEDS = ("click", "unclick", "stroke", "accept", "select", "discard", "delete", "label", "from_mask")
"""What undo takes back."""
KINDS = (*DEEDS, "undo", "redo", "initial", "draft", "answered", "open", "close")
"""`initial` are the masks that the image came with; `draft`, `answered`, `open` and `close` are notes, which change no
object: a mask that has been saved, a click's mask and time, and when the image was on the page.
"""


class EventLog:
    """The events of one image, in memory and in the file `path`. Raises `RunError` if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = _read(path)
        self._file: int | None = None

    def append(self, do: str, at: float | None = None, **what: Any) -> Event:
        """Write an event, done now unless `at` says when; returns it. Raises `OSError`, and then nothing is added."""
        assert do in KINDS, do
        event = {"n": len(self.events) + 1, "at": round(time.time() if at is None else at, 3), "do": do, **what}
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists()
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            if fresh:
                files.sync_directory(self.path.parent)
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, "the disk is full", str(self.path))
        except OSError:
            os.ftruncate(self._file, size)
            raise
        self.events.append(event)
        return event

    def sync(self) -> None:
        """Wait until the disk has everything that was appended. Raises `OSError`."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read(path: Path) -> list[Event]:
    """The events of a log; a last line that was cut off is removed from the file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path}: the log of an image cannot be read ({error.strerror or error})") from error
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    events: list[Event] = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            event = json.loads(line)
            sound = event["n"] == number and event["do"] in KINDS and isinstance(event["at"], int | float)
        except (ValueError, TypeError, KeyError, RecursionError):
            sound = False
        if not sound:
            raise RunError(
                f"{path}: line {number} is damaged; restore the file, or move it away to start this image again "
                "(its accepted masks stay in masks/ until then)"
            )
        events.append(event)
    return events
