"""What is known of a dataset's files without decoding them: sizes from headers, a stamp, lists of names.

Standard library and Pillow only, so that `iiszoo data check` answers at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from iiszoo.data import listed_names
from iiszoo.data.picture_file import read_header
from iiszoo.errors import DatasetError, one_line
from iiszoo.file_names import for_hash
from iiszoo.files import read_text


def stamp(files: Iterable[Path]) -> str:
    """A sha256 hex digest that changes when the files look different: names, sizes, modification times, in their order;
    a missing file counts as missing. Moving the directory does not change it.
    """
    seen = hashlib.sha256()
    for path in dict.fromkeys(files):
        try:
            found = path.stat()
            seen.update(for_hash(f"{path.name} {found.st_size} {found.st_mtime_ns}\n"))
        except OSError:
            seen.update(for_hash(f"{path.name} is not there\n"))
    return seen.hexdigest()


def picture_size(path: Path) -> tuple[int, int]:
    """(rows, columns) from the file's header, as it will be decoded. Raises `DatasetError` naming the file."""
    return read_header(path).size


def unreadable(path: Path) -> str | None:
    """Why a file cannot be used, in one sentence that names it; None if it is there and not empty."""
    try:
        with path.open("rb") as file:
            return None if file.read(1) else f"{path}: is empty"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror or error})"


def names_in(path: Path) -> list[str]:
    """The names in a split file, one per line. Raises `DatasetError` naming the file, also for a name that leads out of
    the dataset's folders.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: the list of the split's names cannot be read ({one_line(error)})") from error
    try:
        return [listed_names.inside(line.strip(), path.parent) for line in lines if line.strip()]
    except ValueError as error:
        raise DatasetError(f"{path}: a name in the list cannot be used: {error}") from error


def json_in(path: Path) -> Any:
    """The value of a JSON file. Raises `DatasetError` naming the file."""
    try:
        return json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON ({one_line(error)})") from error


def sizes_differ(files: str, other: str, size: Sequence[int], mask: Sequence[int]) -> str:
    """The sentence for an image (or `other`) and a mask that differ in (rows, columns)."""
    return f"{files}: {other} and mask differ in size (rows x columns): {size[0]}x{size[1]} but {mask[0]}x{mask[1]}"
