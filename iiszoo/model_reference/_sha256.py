"""Files that identify a model, by their hash."""

from __future__ import annotations

from pathlib import Path

from iiszoo import files
from iiszoo.errors import BadOption


def sha256_of(path: Path) -> str:
    try:
        return files.sha256(path)[0]
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}") from error
