"""The directory of the cache, and whether connections are allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """The directory in which iiszoo keeps what it fetches: `IISZOO_CACHE`, else the user's cache directory."""
    chosen = os.environ.get("IISZOO_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("iiszoo"))


_OFFLINE = "IISZOO_OFFLINE"


def is_offline() -> bool:
    """Whether `IISZOO_OFFLINE` forbids connections (any value but an empty one and `0`)."""
    return os.environ.get(_OFFLINE, "") not in ("", "0")


@contextmanager
def without_connections() -> Iterator[None]:
    """Inside, no connection is made, nor by processes that are started, as with `IISZOO_OFFLINE=1`."""
    before = os.environ.get(_OFFLINE)
    os.environ[_OFFLINE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_OFFLINE]
        else:
            os.environ[_OFFLINE] = before
