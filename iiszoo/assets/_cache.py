"""The directory of the cache, and whether connections are allowed."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """The directory in which iiszoo keeps what it fetches: `IISZOO_CACHE`, else the user's cache directory."""
    chosen = os.environ.get("IISZOO_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("iiszoo"))


def is_offline() -> bool:
    """Whether `IISZOO_OFFLINE` forbids connections (any value but an empty one and `0`)."""
    return os.environ.get("IISZOO_OFFLINE", "") not in ("", "0")
