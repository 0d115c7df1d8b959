"""The files of a run directory, as the file system sees them."""

from __future__ import annotations

import re
from pathlib import Path

from iiszoo.engine.runs.store._identity import IDENTITY
from iiszoo.engine.runs.store._summary import SUMMARY
from iiszoo.errors import RunError

_SAMPLES = re.compile(r"samples(-\d+of\d+)?\.jsonl")


def make(directory: Path) -> None:
    """Create the directory, unless it is there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"output directory {directory} cannot be created: {error.strerror or error}") from error


def samples_file(directory: Path, shard: tuple[int, int]) -> Path:
    """Where shard `(k, n)` writes its traces."""
    k, n = shard
    return directory / ("samples.jsonl" if n == 1 else f"samples-{k}of{n}.jsonl")


def is_samples_file(name: str) -> bool:
    return _SAMPLES.fullmatch(name) is not None


def is_own_file(name: str) -> bool:
    """Whether a run writes a file of that name."""
    return name in {IDENTITY, SUMMARY} or is_samples_file(name)


def samples_files(directory: Path) -> list[Path]:
    """All samples files, also those of which only the lock exists: its owner writes to a deleted file."""
    locked = {path.name[1:-5] for path in directory.glob(".samples*.jsonl.lock")}
    return sorted(directory / name for name in locked.union(path.name for path in directory.glob("samples*.jsonl")))


def has_content(path: Path) -> bool:
    try:
        return path.lstat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; give another --out") from error


def unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path} cannot be deleted: {error.strerror or error}; give another --out") from error
