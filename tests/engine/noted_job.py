"""A job that reads a file beside its model's: where that is on the machine that runs it, is in its dataset's name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from iiszoo.engine.executors import Job


@dataclass(frozen=True)
class NotedJob(Job):
    note: Path = Path("note")

    def files(self) -> tuple[Path, ...]:
        return (self.note,)

    def with_files(self, places: dict[Path, Path]) -> NotedJob:
        return replace(self, note=places[self.note])

    def load_dataset(self):
        assert self.note.read_text() == "a note"
        return super().load_dataset()
