"""The contents of a clone: git's own hash of each file, against which the files in the cache are checked."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from iiszoo.files import replace_text

_GENERATED = {"__pycache__"}


@dataclass(frozen=True)
class Manifest:
    """The files of a commit: `files`, path -> git's hash; `absent`, those that the checkout left out."""

    repo: str
    commit: str
    files: dict[str, str]
    absent: list[str]

    def write(self, path: Path) -> None:
        """Raises `OSError`."""
        replace_text(path, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Raises `OSError`, or `ValueError` or `TypeError` if it is not a manifest."""
        return cls(**json.loads(path.read_text("utf-8")))

    def differences(self, folder: Path) -> list[str]:
        """What differs from the commit, in words: `isegm/a.py is missing`, `... is changed`, `... was added`."""
        found = _files(folder)
        wrong = [
            f"{name} is {'missing' if name not in found else 'changed'}"
            for name, wanted in self.files.items()
            if name not in found or _git_hash(folder / name, len(wanted)) != wanted
        ]
        return wrong + [f"{name} was added" for name in sorted(found - self.files.keys())]


def _files(folder: Path) -> set[str]:
    """All files below `folder`, symbolic links as such, by their path with slashes."""
    found: set[str] = set()
    for directory, subdirectories, names in os.walk(folder):
        subdirectories[:] = [name for name in subdirectories if name not in _GENERATED]
        links = [name for name in subdirectories if os.path.islink(os.path.join(directory, name))]
        found.update(Path(directory, name).relative_to(folder).as_posix() for name in [*names, *links])
    return found


def _git_hash(path: Path, digits: int) -> str:
    """The hash that git gives a file's content: SHA-1, or SHA-256 in a repository whose hashes have 64 digits."""
    content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
    digest = hashlib.new("sha256" if digits == 64 else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()
