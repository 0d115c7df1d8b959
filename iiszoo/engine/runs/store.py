"""A run directory: the traces of one (model, dataset, evaluation protocol), safe against being stopped at any moment.

    run.json            the run's identity; another run is refused
    samples*.jsonl      one trace per line, appended and flushed as its session ends; one file per shard
    summary.json        written at the end of every invocation, over all lines present

A line cut off by a kill or a full disk is removed when the run resumes: only the session in flight is lost. Shards join
by sharing one directory.

Two locks keep runs apart. `alone` is held for the moment in which a process inspects the directory, states its own run
and opens its samples file; the lock of that file is held as long as it is written. In addition, each line contains the
hash of its run, so that no line is ever read as another run's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from iiszoo import files
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.dataset_identity import name_of
from iiszoo.engine.runs.json_values import list_of, table, table_of, text, tuple_of, whole
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, RunError
from iiszoo.names import parse_name

_log = logging.getLogger("iiszoo.engine")

IDENTITY = "run.json"
SUMMARY = "summary.json"
FORMAT = 2
"""Version of the trace and run.json formats; part of a run's identity."""
_SAMPLES = re.compile(r"samples(-\d+of\d+)?\.jsonl")
_PATIENCE = 30
"""Seconds to wait for another process that begins a run in the same directory, which takes a moment."""


def find_runs(directory: Path) -> list[Path]:
    """Every run directory at or below `directory`, damaged ones included. Raises `RunError` if there is none.

    Another tool's run.json is not a run; directories that cannot be listed are named in a warning.
    """
    faults: list[OSError] = []
    runs = []
    for place, folders, names in os.walk(directory, onerror=faults.append):
        if _is_run(Path(place), {*folders, *names}):
            runs.append(Path(place))
    for fault in faults:
        if fault.filename == str(directory):
            absent = isinstance(fault, FileNotFoundError | NotADirectoryError)
            what = "is not a directory" if absent else f"cannot be listed ({fault.strerror})"
            raise RunError(f"{directory} {what}; give one that `iiszoo bench --out` wrote") from fault
        _log.warning("directory %s cannot be listed (%s): runs in it are left out", fault.filename, fault.strerror)
    if not runs:
        raise RunError(f"{directory} contains no run (no {IDENTITY}); give a directory that `iiszoo bench --out` wrote")
    return sorted(runs)


def _is_run(place: Path, names: set[str]) -> bool:
    if any(map(_SAMPLES.fullmatch, names)):
        return True
    if IDENTITY not in names:
        return False
    try:
        return "format" in (read_json(place / IDENTITY) or {})
    except RunError:
        return True  # damaged: reported when it is read


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is absent. Raises `RunError` if it is damaged."""
    try:
        value = json_values.parse(files.read_bytes(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; give another --out") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); start over with --overwrite or another --out") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged (not a JSON object); start over with --overwrite or another --out")
    return value


_CHECKED_SUMMARY = json_values.record(
    {},
    {
        "n_done": whole(0, 2**31),
        "skipped": table_of(text),
        "times": json_values.record({}, {"invocations": list_of(tuple_of(text, text))}),
        "provenance": json_values.record(
            {},
            {
                "dataset_place": text,
                "dataset_stamp": text,
                "environment": json_values.record(
                    {},
                    {
                        "argv": list_of(text),
                        "device": text,
                        "libraries": table_of(text),
                        "machine": table,
                        "plugins": table_of(text),
                    },
                ),
            },
        ),
    },
)


def read_summary(directory: Path) -> dict[str, Any]:
    """The content of `summary.json`; {} if it is absent or, with a warning, damaged: it is derived and rewritten."""
    try:
        found = read_json(directory / SUMMARY) or {}
        return dict(_CHECKED_SUMMARY(found, ""))
    except ValueError as error:
        fault = f"{directory / SUMMARY} is damaged ({error})"
    except RunError as error:
        fault = str(error).partition(";")[0]
    _log.warning("%s: everything in it but the results is left out", fault)
    return {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file. Raises `RunError` if it cannot be written."""
    try:
        files.replace_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error


def differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two identities, one phrase per value: `protocol.max_clicks: 20 there, 10 now`.

    Only what `ours` has is compared, at every level: it lacks what is not known yet.
    """
    found = []
    for key in sorted(ours):
        now, there = ours[key], theirs.get(key)
        if isinstance(now, dict) and isinstance(there, dict):
            found += differences(now, there, f"{prefix}{key}.")
        elif now != there:
            found.append(f"{prefix}{key}: {json.dumps(there)} there, {json.dumps(now)} now")
    return found


def run_hash(identity: dict[str, Any]) -> str:
    """16 hex digits over a run's identity, apart from its protocol's name."""
    return hashlib.sha256(json.dumps(_nameless_rules(identity), sort_keys=True).encode()).hexdigest()[:16]


def _nameless_rules(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity without its protocol's name, which identifies nothing."""
    rules = identity.get("protocol")
    if not isinstance(rules, dict):
        return identity
    return {**identity, "protocol": {rule: value for rule, value in rules.items() if rule != "name"}}


def check_identity(directory: Path, identity: dict[str, Any]) -> bool:
    """Whether the directory already contains exactly this run. Raises `RunError`, saying what differs, for another.

    An early check, so that nothing is computed in vain; `begin` checks again under the lock.
    """
    there = read_json(directory / IDENTITY)
    if there is None:
        if not any(map(_content, _sample_files(directory))):
            return False
        there = read_json(directory / IDENTITY)  # another process may have begun the run since
        if there is None:
            raise _nameless(directory)
    different = differences(identity, there)
    if different and not any(map(_content, _sample_files(directory))):
        return False  # nothing was computed yet: a model that failed at its first click, and was fixed since
    if different:
        raise _another(directory, different)
    return True


def _nameless(directory: Path) -> RunError:
    return RunError(f"{directory} contains samples but no {IDENTITY}; start over with --overwrite or another --out")


def _another(directory: Path, different: list[str]) -> RunError:
    return RunError(
        f"{directory} contains another run ({'; '.join(different)}); give another --out, or --overwrite to discard it"
    )


_CHECKED_IDENTITY = json_values.record(
    {
        "format": whole(FORMAT, FORMAT),
        "model": json_values.record({"id": text, "code": text}, {"options": table, "weights": list_of(text)}),
        "protocol": json_values.record({"hash": text}),
        "dataset": json_values.record({"id": text, "n_samples": whole(1, 2**31), "fingerprint": text}),
    },
    {"initial": json_values.record({"what": text, "fingerprint": text})},
)


def read_identity(directory: Path) -> dict[str, Any]:
    """The identity of the run in `directory`. Raises `RunError` if there is none, or a damaged one."""
    identity = read_json(directory / IDENTITY)
    if identity is None:
        raise RunError(f"{directory} contains no run (no {IDENTITY})")
    if identity.get("format") != FORMAT:
        found = identity.get("format")
        newer = "; install a newer iiszoo to read it" if type(found) is int and found > FORMAT else ""
        shown = json_values.shortened(found)
        raise RunError(f"{directory} was written by another version of iiszoo (format {shown}, not {FORMAT}){newer}")
    try:
        checked: dict[str, Any] = _CHECKED_IDENTITY(identity, "")
        rules = ResolvedProtocol.from_json(checked["protocol"])
        if rules.hash != checked["protocol"]["hash"]:
            raise ValueError(f"protocol.hash must be {rules.hash} for its rules")
        parse_name(name_of(checked))
    except BadOption as error:
        raise RunError(f"{directory / IDENTITY} is damaged ({error}); repeat the run") from error
    except ValueError as error:
        raise RunError(f"{directory / IDENTITY} is damaged ({error}); repeat the run") from error
    return checked


def is_there(directory: Path) -> bool:
    """Whether the directory contains a run, judging by file names."""
    return (directory / IDENTITY).exists() and any(directory.glob("samples*.jsonl"))


def create(directory: Path, identity: dict[str, Any]) -> None:
    """Create the directory and write the run's identity."""
    make(directory)
    write_json(directory / IDENTITY, identity)


def make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"output directory {directory} cannot be created: {error.strerror or error}") from error


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Lock the directory for a moment: no other process begins, discards or summarises a run in it."""
    taken = _lock(directory / ".samples.lock", _PATIENCE, f"{directory} is in use by another iiszoo process; try again")
    try:
        yield
    finally:
        taken.release()


def begin(
    directory: Path, identity: dict[str, Any], shard: tuple[int, int] = (1, 1), *, overwrite: bool = False
) -> Writer:
    """Write the identity of the run in `directory` and open this shard's file, in one step for all other processes.

    `overwrite` discards an earlier run. Raises `RunError` if another run was or is being computed there, if this part
    of the run is being computed, or if the directory cannot be written.
    """
    make(directory)
    with alone(directory):
        if overwrite:
            discard(directory)
        _claim(directory, identity)
        return Writer(directory, shard)


def _claim(directory: Path, identity: dict[str, Any]) -> None:
    """Write the identity, unless it is there already. The caller holds `alone`."""
    there = read_json(directory / IDENTITY)
    different = [] if there is None else differences(_nameless_rules(identity), there)
    if there is not None and not different and run_hash(there) == run_hash(identity):
        if there != identity:
            write_json(directory / IDENTITY, identity)  # the protocol has another name
        return
    paths = _sample_files(directory)
    if any(map(_content, paths)):
        raise _nameless(directory) if there is None else _another(directory, different or ["its identity says more"])
    for path in paths:
        _refuse_while_written(path, different)
    for path in [*paths, directory / SUMMARY]:
        _unlink(path)
    write_json(directory / IDENTITY, identity)


def discard(directory: Path) -> None:
    """Delete a run's own files and nothing else. Raises `RunError` if it is being written.

    The caller holds `alone`. The identity is deleted last, so that whatever a kill leaves can be identified.
    """
    paths = _sample_files(directory)
    for path in paths:
        _refuse_while_written(path)
    for path in [directory / SUMMARY, *paths, directory / IDENTITY]:
        _unlink(path)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path} cannot be deleted: {error.strerror or error}; give another --out") from error


def _sample_files(directory: Path) -> list[Path]:
    """All samples files, also those of which only the lock exists: its owner writes to a deleted file."""
    locked = {path.name[1:-5] for path in directory.glob(".samples*.jsonl.lock")}
    return sorted(directory / name for name in locked.union(path.name for path in directory.glob("samples*.jsonl")))


def _content(path: Path) -> bool:
    try:
        return path.lstat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; give another --out") from error


def _refuse_while_written(path: Path, different: list[str] | None = None) -> None:
    of = f", as part of another run ({'; '.join(different)})" if different else ""
    wait = "give" if different else "wait for it or give"
    _lock(path.with_name(f".{path.name}.lock"), 0, _BEING_WRITTEN.format(path=path, of=of, wait=wait)).release()


_BEING_WRITTEN = "{path} is being written by another iiszoo process{of}; {wait} another --out"


def read_traces(directory: Path) -> list[Trace]:
    """All traces of a run, by sample index; a cut-off last line of a file is left out.

    If shards overlap, a sample's first trace counts. Raises `RunError` if a line is damaged or belongs to another run.
    """
    by_sample: dict[str, Trace] = {}
    for trace in read_lines(directory):
        by_sample.setdefault(trace.sample, trace)
    return sorted(by_sample.values(), key=lambda trace: trace.index)


def read_lines(directory: Path) -> Iterator[Trace]:
    """The trace of every line; several of a sample that several shards have run. Raises as `read_traces`."""
    paths = sorted(directory.glob("samples*.jsonl"))
    identity = read_json(directory / IDENTITY) if paths else None
    if paths and identity is None:
        raise _nameless(directory)
    for path in paths:
        yield from _traces(path, run_hash(identity or {}))


def _traces(path: Path, run: str) -> Iterator[Trace]:
    try:
        lines = files.read_bytes(path).split(b"\n")
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {error.strerror or error}; move it away to run its samples again"
        ) from error
    for number, line in enumerate(lines[:-1], 1):  # after the last newline is nothing, or a cut-off line
        values = None
        try:
            values = json_values.parse(line)
            trace = Trace.from_values(values)
        except ValueError as error:
            sample = values.get("sample") if isinstance(values, dict) else None
            of = f" (sample {json_values.shortened(sample)})" if isinstance(sample, str) else ""
            raise RunError(
                f"{path} line {number}{of} is not a trace ({error}); delete that line to run its sample again"
            ) from error
        if values.get("run") != run:
            raise RunError(
                f"{path} line {number} belongs to another run than the {IDENTITY} beside it; move the file away, or "
                "start over with --overwrite or another --out"
            )
        yield trace


def _lock(path: Path, patience: float, refusal: str) -> filelock.BaseFileLock:
    try:
        return files.lock(path, patience)
    except TimeoutError as error:
        raise RunError(refusal) from error
    except OSError as error:
        raise RunError(
            f"run directory {path.parent} cannot be locked: {error.strerror or error}; give a writable --out on "
            "another file system"
        ) from error


class Writer:
    """Appends traces to one file of a run directory; a second writer of the same file is refused.

    If that file or `run.json` is deleted meanwhile, it is restored: nothing that was computed is lost.
    """

    def __init__(self, directory: Path, shard: tuple[int, int] = (1, 1)) -> None:
        name = "samples.jsonl" if shard == (1, 1) else f"samples-{shard[0]}of{shard[1]}.jsonl"
        self.path = directory / name
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
            different = "; ".join(differences(_nameless_rules(self._identity), there))
            raise RunError(
                f"{identity.parent} was deleted while the run was in progress, and now contains another run "
                f"({different}); run the same command again, with another --out"
            )
        if not _lies_at(self.path, os.fstat(self._file.fileno())):
            if not _lies_at(self.path.with_name(f".{self.path.name}.lock"), self._lock_file):
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
        lock_path = self.path.with_name(f".{self.path.name}.lock")
        refusal = _BEING_WRITTEN.format(path=self.path, of="", wait="wait for it or give")
        self._lock = _lock(lock_path, 0, refusal)
        self._lock_file = lock_path.stat()

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
