"""Small JSON files: read as one object, replaced in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.engine.runs import json_values
from iiszoo.errors import RunError


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is absent. Raises `RunError` if it is damaged."""
    try:
        value = json_values.parse(files.read_bytes(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}; give another --out") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); start over with --overwrite or another --out") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged (not a JSON object); start over with --overwrite or another --out")
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file. Raises `RunError` if it cannot be written."""
    try:
        files.replace_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
