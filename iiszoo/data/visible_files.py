"""The files and folders that a user sees: hidden ones, such as those that systems add, are not part of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def visible_files(directory: Path) -> list[Path]:
    """The files of a directory, sorted by stem, then name."""
    files = [path for path in directory.iterdir() if not path.name.startswith(".") and path.is_file()]
    return sorted(files, key=lambda path: (path.stem, path.name))


def visible_tree(directory: Path) -> Iterator[tuple[Path, list[str]]]:
    """A directory and the folders under it, each with the names of its files. Links are followed, unless they lead to a
    folder that they are in.
    """
    for path, folders, files in os.walk(directory, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _loops(path, name))
        yield Path(path), sorted(name for name in files if not name.startswith("."))


def _loops(path: str, name: str) -> bool:
    target = os.path.join(path, name)
    if not os.path.islink(target):
        return False
    return Path(os.path.realpath(target)) in (here := Path(os.path.realpath(path)), *here.parents)
