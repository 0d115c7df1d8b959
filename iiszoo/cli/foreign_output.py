"""stdout is for what iiszoo prints; what code of others prints, a plugin's or a model's, goes to stderr.

Two levels, since foreign code prints in two ways. `keep_stdout` moves the program's own stdout to another file
descriptor and lets descriptor 1 lead to stderr for the process's life: libraries in C, `os.write(1, ...)` and processes
that are started write there, whenever they flush. `foreign_output` does the same for Python's `print` while code of
others runs.
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
    """Move stdout out of the reach of foreign code; nothing happens where it is not this process's descriptor 1."""
    global _kept
    try:
        if _kept is not None or sys.stdout.fileno() != 1:
            return
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
    except (AttributeError, OSError, ValueError):  # closed, or replaced by what is no file
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
    """Descriptor 1 is stdout again: for a plugin's command, whose output is the program's own."""
    if _kept is not None:
        os.dup2(_kept, 1)


def foreign_output() -> AbstractContextManager[Any]:
    """While this is entered, what Python code prints goes to stderr."""
    return redirect_stdout(sys.stderr)
