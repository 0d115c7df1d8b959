"""Warnings about a dataset's files, each once in a process: a run reads a dataset more than once."""

from __future__ import annotations

import logging

_warned: set[str] = set()


def warn_once(log: logging.Logger, message: str) -> None:
    """Log a warning, unless it was logged before."""
    if message not in _warned:
        _warned.add(message)
        log.warning("%s", message)
