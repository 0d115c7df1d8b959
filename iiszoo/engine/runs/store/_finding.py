"""Which directories contain a run."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from iiszoo.engine.runs.store._directory import is_samples_file
from iiszoo.engine.runs.store._identity import IDENTITY
from iiszoo.engine.runs.store._json_file import read_json
from iiszoo.errors import RunError

_log = logging.getLogger("iiszoo.engine")


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
    if any(map(is_samples_file, names)):
        return True
    if IDENTITY not in names:
        return False
    try:
        return "format" in (read_json(place / IDENTITY) or {})
    except RunError:
        return True  # damaged: reported when it is read


def is_there(directory: Path) -> bool:
    """Whether the directory contains a run, judging by file names."""
    return (directory / IDENTITY).exists() and any(directory.glob("samples*.jsonl"))
