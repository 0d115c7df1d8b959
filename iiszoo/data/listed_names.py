"""Names of files that a list of a dataset states: the list may come from anywhere, and its names lead anywhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_LONGEST_PART = 255  # bytes, of most file systems
_LONGEST = 4096
_DRIVE = re.compile(r"[A-Za-z]:/")


def inside(name: Any, folder: Path) -> str:
    """`name` as a path from `folder`, with "/" between its parts also where it was written on Windows.

    An absolute name is one too where it leads into `folder`. Links that lie in `folder` are followed wherever they
    lead: whoever uses the folder has put them there. Raises `ValueError` that says what is wrong with the name: it
    leads out of the folder, or no file can be called so.
    """
    if not isinstance(name, str):
        raise ValueError(f"{_shown(name)} is not text")
    if "\0" in name:
        raise ValueError(f"{_shown(name)} holds a NUL character, which no file name does")
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{_shown(name)} holds half a character (a lone surrogate)") from error
    parts = name.replace("\\", "/")
    if len(encoded) > _LONGEST or max(len(part.encode()) for part in parts.split("/")) > _LONGEST_PART:
        raise ValueError(f"{_shown(name)} is longer than any file's name, {len(encoded)} bytes")
    if parts.startswith("/") or _DRIVE.match(parts):
        parts = os.path.relpath(parts, folder.absolute()) if os.path.isabs(parts) else "../" + parts
    parts = os.path.normpath(parts).replace(os.sep, "/")
    if parts == ".":
        raise ValueError(f"{_shown(name)} names no file")
    if parts == ".." or parts.startswith("../"):
        raise ValueError(f"{_shown(name)} leads out of the folder {folder}; only files inside are read")
    return parts


def _shown(name: Any) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}..."
