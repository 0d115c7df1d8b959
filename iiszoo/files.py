"""What is done to files all over iiszoo, each in one way: text read, replaced in one step, hashed. Stdlib only."""

from __future__ import annotations

import codecs
import hashlib
import os
from pathlib import Path

_CHUNK = 1 << 20  # bytes


def read_text(path: Path) -> str:
    """The text of a file that a person may have written: UTF-8, with or without a byte order mark, or UTF-16 with one,
    as Windows tools save it; the mark is left out. Raises `OSError`, or `UnicodeDecodeError` for another encoding.
    """
    with path.open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return path.read_text("utf-16" if wide else "utf-8-sig")


def replace_text(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a full disk, meets the old one or the new one and never half of it.

    It is written beside its place and renamed. Raises `OSError`, leaving the old file and nothing beside it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fresh.write_text(text, "utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def sha256(path: Path) -> tuple[str, int]:
    """The hex digest of a file's bytes, and their number. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
