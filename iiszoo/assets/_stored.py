"""One file of the cache: what it must be, where it belongs, and how messages speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iiszoo.cards import Download
from iiszoo.errors import IISZooError


@dataclass(frozen=True)
class Stored:
    """A download and its place, `shelf/folder/filename`.

    A shelf is a directory of the cache with a folder for each family or dataset, and bookkeeping of its own
    (`iiszoo.assets._ledger`). `name` is what messages call the file, `way_out` what they tell who has no connection,
    `forget` how a hash that was pinned is forgotten, `error` the kind of error that they are.
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
        """`folder/filename`, by which the bookkeeping knows it."""
        return f"{self.folder}/{self.download.filename}"
