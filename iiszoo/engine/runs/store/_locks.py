"""The two locks that keep runs apart, each given up with the process that holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from iiszoo import files
from iiszoo.errors import RunError

_PATIENCE = 30
"""Seconds to wait for another process that begins a run in the same directory, which takes a moment."""


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Lock the directory for a moment: no other process begins, discards or summarises a run in it."""
    taken = _lock(directory / ".samples.lock", _PATIENCE, f"{directory} is in use by another iiszoo process; try again")
    try:
        yield
    finally:
        taken.release()


def lock_path(samples: Path) -> Path:
    """The lock of a samples file."""
    return samples.with_name(f".{samples.name}.lock")


def lock_samples(samples: Path, different: Sequence[str] = ()) -> filelock.BaseFileLock:
    """Lock a samples file. Raises `RunError` if another process writes it, as part of a run with those differences."""
    of = f", as part of another run ({'; '.join(different)})" if different else ""
    wait = "give" if different else "wait for it or give"
    return _lock(
        lock_path(samples), 0, f"{samples} is being written by another iiszoo process{of}; {wait} another --out"
    )


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
