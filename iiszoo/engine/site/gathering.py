"""The runs of a repository that pass its check, with their models' cards and replays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iiszoo.cards import ModelCard
from iiszoo.engine.results import model_cards, replays
from iiszoo.engine.results.checking import check
from iiszoo.engine.results.replays import Replay, Tier
from iiszoo.engine.runs.summary import Result
from iiszoo.errors import RunError


@dataclass(frozen=True)
class Entry:
    """One run: `path` within the repository; the directory in its summary is the same path."""

    path: str
    card: ModelCard | None
    result: Result
    replays: list[Replay]

    @property
    def model(self) -> str:
        return str(self.result[0]["model"])

    @property
    def tier(self) -> Tier:
        return replays.tier_of(self.replays)


def gather(repo: Path) -> tuple[list[Entry], list[str]]:
    """Every run that passes the check, and a sentence for everything else. Raises `RunError` if none is left."""
    found = check(repo)
    left_out = [f"{place.path}: {fault.sentence}" for place in found.places for fault in place.faults]
    barred = {place.path for place in found.places if place.faults}
    entries = [
        _entry(repo, place.path, place.result)
        for place in found.places
        if place.result is not None and not barred & {place.path, place.path.partition("/")[0]}
    ]
    if not entries:
        raise RunError("\n".join([f"{repo} has no run that could be shown", *left_out]))
    return entries, left_out


def _entry(repo: Path, path: str, result: Result) -> Entry:
    summary, traces = result
    card = model_cards.read((repo / path).parent)[1]
    return Entry(path, card, ({**summary, "directory": path}, traces), replays.read(repo / path))
