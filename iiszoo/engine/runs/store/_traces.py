"""Reading the traces of a run, from one file per shard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from iiszoo import files
from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.store._identity import IDENTITY, run_hash, without_identity
from iiszoo.engine.runs.store._json_file import read_json
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import RunError


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
        raise without_identity(directory)
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
