"""What differs between two states of a results repository."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iiszoo.engine.report.columns import column
from iiszoo.engine.results import layout, model_cards, replays
from iiszoo.engine.runs import summary
from iiszoo.errors import IISZooError

What = Literal["added", "changed", "replayed", "card", "removed"]
REMOVED: What = "removed"
_METRICS = ("noc85", "noc90", "nof90", "model_ms_median")
COLUMNS = ("change", "model", "dataset", "robot", *(column(name).title for name in _METRICS), "tier")


@dataclass(frozen=True)
class Change:
    """One run, or one model's card, that differs. `cells` are those of `COLUMNS`; of a changed run, a figure that
    differs is `before → after`.
    """

    what: What
    path: str
    cells: list[str]


@dataclass(frozen=True)
class _State:
    """What is compared of a run. `cells`: model, dataset, robot, figures."""

    content: str
    cells: list[str]
    replays: list[replays.Replay]
    tier: str


def between(base: Path, repo: Path) -> list[Change]:
    """What differs, by path. A run that cannot be read counts as one with other content."""
    before, after = _states(base), _states(repo)
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if new is None and old is not None:
            found.append(Change("removed", path, ["removed", *old.cells, old.tier]))
        elif old is None and new is not None:
            found.append(Change("added", path, ["added", *new.cells, new.tier]))
        elif old is not None and new is not None and old.content != new.content:
            cells = [_both(one, other) for one, other in zip(old.cells, new.cells, strict=True)]
            found.append(Change("changed", path, ["changed", *cells, _both(old.tier, new.tier)]))
        elif old is not None and new is not None and old.replays != new.replays:
            lost = any(replay not in new.replays for replay in old.replays)
            what: What = "removed" if lost else "replayed"
            text = "a replay removed" if lost else f"replayed by {new.replays[-1].by}"
            found.append(Change(what, path, [text, *new.cells, _both(old.tier, new.tier)]))
    return [*found, *_cards(base, repo)]


def markdown(changes: list[Change]) -> str:
    """The changes as a table, or a sentence if there are none."""
    if not changes:
        return "No run and no card changed."
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(change.cells for change in changes)]
    return "\n".join(f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows)


def _plain(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _states(repo: Path) -> dict[str, _State]:
    return {run.relative_to(repo).as_posix(): _state(run) for run in layout.runs(repo)}


def _state(run: Path) -> _State:
    content = layout.content_of(run, with_summary=True)
    try:
        derived, _ = summary.read(run)
        there = replays.read(run)
    except IISZooError:
        return _State(content, [run.parent.name, run.name, "", *("unreadable" for _ in _METRICS)], [], "none")
    figures = [_figure(derived, name) for name in _METRICS]
    return _State(
        content,
        [derived["model"], derived["dataset"], derived["protocol"]["robot"], *figures],
        there,
        replays.tier_of(there),
    )


def _figure(derived: dict[str, object], name: str) -> str:
    wanted = column(name)
    value = wanted.value(derived)
    return "–" if value is None else wanted.form(value)


def _both(old: str, new: str) -> str:
    return new if old == new else f"{old} → {new}"


def _cards(base: Path, repo: Path) -> list[Change]:
    """The cards that changed, with the fields that did."""
    found = []
    for folder in layout.models(repo):
        old, new = _card(base / folder.name), _card(folder)
        if old is None or old == new:
            continue
        fields = sorted(key for key in {*old, *(new or {})} if old.get(key) != (new or {}).get(key))
        cells = [f"card: {', '.join(fields)}", folder.name, *("" for _ in COLUMNS[2:])]
        found.append(Change("card", f"{folder.name}/{layout.CARD}", cells))
    return found


def _card(folder: Path) -> dict[str, object] | None:
    try:
        card = model_cards.read(folder)[1]
        return {} if card is None else dataclasses.asdict(card)
    except IISZooError:
        return None
