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

from iiszoo.engine.runs.store._claim import begin, check_identity
from iiszoo.engine.runs.store._directory import is_own_file, make
from iiszoo.engine.runs.store._finding import find_runs, is_there
from iiszoo.engine.runs.store._identity import FORMAT, IDENTITY, differences, read_identity, run_hash
from iiszoo.engine.runs.store._json_file import read_json, write_json
from iiszoo.engine.runs.store._locks import alone
from iiszoo.engine.runs.store._summary import SUMMARY, read_summary
from iiszoo.engine.runs.store._traces import read_lines, read_traces
from iiszoo.engine.runs.store._writer import Writer

__all__ = [
    "FORMAT",
    "IDENTITY",
    "SUMMARY",
    "Writer",
    "alone",
    "begin",
    "check_identity",
    "differences",
    "find_runs",
    "is_own_file",
    "is_there",
    "make",
    "read_identity",
    "read_json",
    "read_lines",
    "read_summary",
    "read_traces",
    "run_hash",
    "write_json",
]
