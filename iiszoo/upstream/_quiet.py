"""Warnings that old code causes on new libraries: nobody here can act on them, so they are not shown."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_inside = 0
_hidden = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """While a clone's code is imported or run, Python's warnings are not shown. iiszoo's own messages are log records.

    The filters of warnings belong to the whole process. So the first thread that enters changes them, and the last one
    that leaves restores them.
    """
    global _inside
    with _lock:
        if not _inside:
            _hidden.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _hidden.close()
