"""One file of the cache: what it must be, its path, and how messages name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iiszoo.cards import Download
from iiszoo.errors import IISZooError


@dataclass(frozen=True)
class Stored:
    """A download and its path, `shelf/folder/filename`.

    A shelf is a directory of the cache with a folder per family or dataset, and its own records
    (`iiszoo.assets._ledger`). `name` is the file's name in messages, `way_out` what they advise a user without a
    connection, `forget` how to remove a pinned hash, `error` their exception type.
    """

    download: Download
    shelf: Path
    folder: str
    name: str
    way_out: str
    forget: str
    error: type[IISZooError]

    @property
    def place(self) -> Path:
        return self.shelf / self.key

    @property
    def key(self) -> str:
        """`folder/filename`, its key in the records."""
        return f"{self.folder}/{self.download.filename}"
