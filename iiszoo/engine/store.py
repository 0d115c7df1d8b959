"""A run directory: the traces of one (model, dataset, protocol), safe against being stopped at any moment.

    run.json            what the run is of; anything else is refused
    samples*.jsonl      one trace a line, appended and flushed as its session ends; one file for each shard
    summary.json        written at the end of every invocation, over all lines that are there

A line that was cut off by a kill or a full disk is cut away when the run is taken up again: only the session in flight
is lost. Shards join by lying in one directory.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from iiszoo import files
from iiszoo.engine.trace import Trace
from iiszoo.errors import RunError

IDENTITY = "run.json"
SUMMARY = "summary.json"
FORMAT = 1
"""Version of the trace and run.json formats; part of a run's identity."""


def slug(model: str, dataset: str) -> str:
    """The directory name of a run inside the output directory."""
    return f"{_plain(model)}--{_plain(dataset)}"


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in text).strip("-.")


def find_runs(directory: Path) -> list[Path]:
    """Every run directory at or below `directory`. Raises `RunError` where there is none."""
    if not directory.is_dir():
        raise RunError(f"{directory} is not a directory; give one that `iiszoo bench --out` wrote")
    runs = sorted(path.parent for path in directory.rglob(IDENTITY) if "format" in _object(path))
    if not runs:
        raise RunError(f"{directory} holds no run (no {IDENTITY}); give a directory that `iiszoo bench --out` wrote")
    return runs


def _object(path: Path) -> dict[str, Any]:
    """The file's JSON object; {} where it has none."""
    try:
        return read_json(path) or {}
    except RunError:
        return {}


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where the file is absent. Raises `RunError` where it is damaged."""
    try:
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; give another --out") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); start anew with --overwrite or another --out") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged (not a JSON object); start anew with --overwrite or another --out")
    return value


def read_summary(directory: Path) -> dict[str, Any]:
    """What `summary.json` says; {} where it is absent or damaged: it is derived, and is written again."""
    return _object(directory / SUMMARY)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file. Raises `RunError` where it cannot be written."""
    try:
        files.replace_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error


def differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two identities, one phrase a value: `protocol.max_clicks: 20 there, 10 now`.

    Only what `ours` has is compared, at every level: what is not known yet is left out of it.
    """
    found = []
    for key in sorted(ours):
        now, there = ours[key], theirs.get(key)
        if isinstance(now, dict) and isinstance(there, dict):
            found += differences(now, there, f"{prefix}{key}.")
        elif now != there:
            found.append(f"{prefix}{key}: {json.dumps(there)} there, {json.dumps(now)} now")
    return found


def check_identity(directory: Path, identity: dict[str, Any]) -> bool:
    """Whether the directory holds this very run already. Raises `RunError`, saying what differs, for another."""
    there = read_json(directory / IDENTITY)
    if there is None:
        if any(directory.glob("samples*.jsonl")):
            raise RunError(f"{directory} holds samples but no {IDENTITY}; start anew with --overwrite or another --out")
        return False
    different = differences(identity, there)
    if different and not read_traces(directory):
        return False  # nothing was computed yet: a model that failed at its first click, and was mended since
    if different:
        raise RunError(
            f"{directory} holds another run ({'; '.join(different)}); give another --out, or --overwrite to discard it"
        )
    return True


def read_identity(directory: Path) -> dict[str, Any]:
    """What the run in `directory` is of. Raises `RunError` where there is none."""
    identity = read_json(directory / IDENTITY)
    if identity is None:
        raise RunError(f"{directory} holds no run (no {IDENTITY})")
    if identity.get("format") != FORMAT:
        raise RunError(f"{directory} was written by another iiszoo (format {identity.get('format')}, not {FORMAT})")
    return identity


def create(directory: Path, identity: dict[str, Any]) -> None:
    """Make the directory and state what the run in it is of."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"output directory {directory} cannot be made: {error.strerror or error}") from error
    write_json(directory / IDENTITY, identity)


def discard(directory: Path) -> None:
    """Delete a run's own files, and nothing else that may lie there. Raises `RunError` where it is being written."""
    for path in directory.glob("samples*.jsonl"):
        _lock(path).release()
    for path in [directory / SUMMARY, *directory.glob("samples*.jsonl"), directory / IDENTITY]:
        path.unlink(missing_ok=True)


def read_traces(directory: Path) -> list[Trace]:
    """All traces of a run, by sample index; a cut-off last line of a file is left out.

    Where shards overlap, the same sample's first trace counts. Raises `RunError` where a line is damaged.
    """
    by_sample: dict[str, Trace] = {}
    for path in sorted(directory.glob("samples*.jsonl")):
        for trace in _traces(path):
            by_sample.setdefault(trace.sample, trace)
    return sorted(by_sample.values(), key=lambda trace: trace.index)


def _traces(path: Path) -> Iterator[Trace]:
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # behind the last newline lies nothing, or a line that was cut off
        try:
            yield Trace.from_line(line.decode("utf-8"))
        except (ValueError, TypeError) as error:
            raise RunError(
                f"{path} line {number} is not a trace ({error}); delete that line, and its sample is run again"
            ) from error


def _lock(path: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise RunError(
            f"{path} is being written by another iiszoo process; wait for it or give another --out"
        ) from error
    return lock


class Writer:
    """Appends traces to one file of a run directory, alone: a second writer of the same file is refused."""

    def __init__(self, directory: Path, shard: tuple[int, int] = (1, 1)) -> None:
        name = "samples.jsonl" if shard == (1, 1) else f"samples-{shard[0]}of{shard[1]}.jsonl"
        self.path = directory / name
        self._lock = _lock(self.path)
        try:
            self._repair()
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            self._lock.release()
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def append(self, trace: Trace) -> None:
        """Write one line and hand it to the operating system. Raises `RunError` where that fails (disk full)."""
        line = trace.to_line().encode() + b"\n"
        size = self._file.tell()
        try:
            written = self._file.write(line)
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise RunError(
                f"{self.path} cannot be written ({error.strerror or error}); all samples before "
                f"{trace.sample!r} are kept: make room and give the same command again, without --overwrite"
            ) from error

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repair(self) -> None:
        """Cut off a last line that has no newline: its session was in flight when the run was stopped."""
        if self.path.exists():
            content = self.path.read_bytes()
            if content and not content.endswith(b"\n"):
                os.truncate(self.path, content.rfind(b"\n") + 1)
