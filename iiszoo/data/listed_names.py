"""File names from a dataset's lists, which are untrusted: a name may lead anywhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_LONGEST_PART = 255  # bytes, of most file systems
_LONGEST = 4096
_DRIVE = re.compile(r"[A-Za-z]:/")


def inside(name: Any, folder: Path) -> str:
    """`name` as a path from `folder`, with "/" between its parts, even if it was written on Windows.

    An absolute name is accepted if it leads into `folder`. Links inside `folder` are followed wherever they lead: the
    user put them there. Raises `ValueError` that says what is wrong with the name: it leads out of the folder, or is
    not a possible file name.
    """
    if not isinstance(name, str):
        raise ValueError(f"{_shown(name)} is not text")
    if "\0" in name:
        raise ValueError(f"{_shown(name)} contains a NUL character, which no file name can")
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{_shown(name)} contains half a character (a lone surrogate)") from error
    parts = name.replace("\\", "/")
    if len(encoded) > _LONGEST or max(len(part.encode()) for part in parts.split("/")) > _LONGEST_PART:
        raise ValueError(f"{_shown(name)} is too long for a file name, {len(encoded)} bytes")
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
