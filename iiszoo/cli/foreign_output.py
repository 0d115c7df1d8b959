"""stdout is for what iiszoo prints; what foreign code prints, a plugin's or a model's, goes to stderr.

Foreign code prints in two ways. `keep_stdout` moves the program's own stdout to another file descriptor and points
descriptor 1 to stderr for the life of the process: C libraries, `os.write(1, ...)` and child processes write there,
whenever they flush. `foreign_output` does the same for Python's `print` while foreign code runs.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any

_kept: int | None = None
"""The descriptor that the program's own stdout was moved to."""


def keep_stdout() -> None:
    """Move stdout out of the reach of foreign code; do nothing if it is not this process's descriptor 1."""
    global _kept
    try:
        if _kept is not None or sys.stdout.fileno() != 1:
            return
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
    except (AttributeError, OSError, ValueError):  # closed, or replaced by something that is not a file
        return
    _kept = own
    before: Any = sys.stdout
    sys.stdout = io.TextIOWrapper(
        os.fdopen(own, "wb"),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )


def give_stdout_back() -> None:
    """Make descriptor 1 stdout again: for a plugin's command, whose output is the program's own."""
    if _kept is not None:
        os.dup2(_kept, 1)


def foreign_output() -> AbstractContextManager[Any]:
    """While this is entered, what Python code prints goes to stderr."""
    return redirect_stdout(sys.stderr)
