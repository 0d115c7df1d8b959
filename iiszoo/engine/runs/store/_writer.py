"""Writing the traces of a run, one line as each session ends."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from iiszoo import files
from iiszoo.engine.runs.store._directory import make, samples_file
from iiszoo.engine.runs.store._identity import IDENTITY, differences, nameless_rules, run_hash
from iiszoo.engine.runs.store._json_file import read_json, write_json
from iiszoo.engine.runs.store._locks import alone, lock_path, lock_samples
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError

_log = logging.getLogger("iiszoo.engine")


class Writer:
    """Appends traces to one file of a run directory; a second writer of the same file is refused.

    If that file or `run.json` is deleted meanwhile, it is restored: nothing that was computed is lost.
    """

    def __init__(self, directory: Path, shard: tuple[int, int] = (1, 1)) -> None:
        self.path = samples_file(directory, shard)
        identity = read_json(directory / IDENTITY)
        if identity is None:
            raise RunError(f"{directory} contains no run (no {IDENTITY})")
        self._identity = identity
        self._run = run_hash(identity)
        self._take_lock()
        try:
            self._repair()
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            self._lock.release()
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def append(self, trace: Trace) -> None:
        """Write one line, unbuffered. Raises `RunError` if that fails (disk full)."""
        self.restore()
        line = f'{{"run":"{self._run}",{trace.to_line()[1:]}\n'.encode()
        size = self._file.tell()
        try:
            self._write(line)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise RunError(
                f"{self.path} cannot be written ({error.strerror or error}); all samples before "
                f"{trace.sample!r} are kept: make room and run the same command again, without --overwrite"
            ) from error

    def _write(self, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += self._file.write(content[written:])

    def restore(self) -> None:
        """Restore files that were deleted while the run was in progress. Raises `RunError` if that fails."""
        identity, directory = self.path.with_name(IDENTITY), self.path.parent
        try:
            if identity.exists() and _lies_at(self.path, os.fstat(self._file.fileno())):
                return
            make(directory)
            with alone(directory):
                self._put_back(identity)
        except OSError as error:
            raise RunError(
                f"{self.path} was deleted while the run was in progress, and cannot be restored "
                f"({error.strerror or error}); run the same command again, with another --out"
            ) from error
        _log.warning("%s was deleted while the run was in progress; it has been restored", directory)

    def _put_back(self, identity: Path) -> None:
        there = read_json(identity)
        if there is None:
            write_json(identity, self._identity)
        elif run_hash(there) != self._run:
            different = "; ".join(differences(nameless_rules(self._identity), there))
            raise RunError(
                f"{identity.parent} was deleted while the run was in progress, and now contains another run "
                f"({different}); run the same command again, with another --out"
            )
        if not _lies_at(self.path, os.fstat(self._file.fileno())):
            if not _lies_at(lock_path(self.path), self._lock_file):
                self._lock.release()
                self._take_lock()
            self._file.seek(0)
            content = self._file.read()
            fresh = self.path.open("a+b", buffering=0)
            self._file.close()
            self._file = fresh
            self._write(content)

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_lock(self) -> None:
        self._lock = lock_samples(self.path)
        self._lock_file = lock_path(self.path).stat()

    def _repair(self) -> None:
        """Remove a last line that has no newline: its session was in flight when the run was stopped."""
        try:
            content = files.read_bytes(self.path)
        except FileNotFoundError:
            return
        if content and not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)


def _lies_at(path: Path, opened: os.stat_result) -> bool:
    """Whether the path still leads to the file that was opened."""
    try:
        return os.path.samestat(path.stat(), opened)
    except (FileNotFoundError, NotADirectoryError):
        return False
