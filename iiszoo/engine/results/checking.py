"""The check of a results repository: what can be told without weights, data or the models' plugins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iiszoo import units
from iiszoo.cards import ModelCard
from iiszoo.engine.results import changes, layout, model_cards, replays
from iiszoo.engine.results.changes import Change
from iiszoo.engine.runs import store, summary
from iiszoo.engine.runs.run_name import model_slug
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.verify.data import check_published
from iiszoo.engine.verify.findings import Finding, agreed, other
from iiszoo.engine.verify.run import check_alone
from iiszoo.errors import IISZooError
from iiszoo.progress import Progress

NAMES, SIZES, CARD, WEIGHTS, COMPLETE, REPLAYS, REMOVED = (
    "names", "sizes", "card", "weights", "complete", "replays", "removed",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What was found about one path of the repository, a run if `result` is not None."""

    path: str
    findings: list[Finding]
    result: Result | None = None

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.status == "differs"]


@dataclass(frozen=True)
class Checked:
    """A repository that was checked; `changes` are what differs from an earlier state of it, if one was given."""

    places: list[Place]
    changes: list[Change] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not any(place.faults for place in self.places)

    @property
    def n_runs(self) -> int:
        return sum(place.result is not None for place in self.places)


def check(repo: Path, base: Path | None = None, progress: Progress = lambda done, total: None) -> Checked:
    """Check every run of a repository; compared with `base`, an earlier state of it, nothing may be missing.

    Raises `RunError` if one of them is no directory.
    """
    places = [Place(_within(repo, path), [_stranger(path)]) for path in layout.strangers(repo)]
    runs = layout.runs(repo)
    for model in layout.models(repo):
        places.append(Place(_within(repo, model), _of_model(model)))
    for done, run in enumerate(runs, 1):
        places.append(_of_run(repo, run))
        progress(done, len(runs))
    differing = [] if base is None else changes.between(base, repo)
    for change in differing:
        if change.what == changes.REMOVED:
            places.append(Place(change.path, [Finding(REMOVED, "differs", "it was there before; put it back")]))
    return Checked(places, differing)


def check_run(run: Path, card: ModelCard | None) -> tuple[list[Finding], Result]:
    """What a run's own files and its model's card tell. Raises `RunError` if the run cannot be read."""
    result = summary.read(run)
    identity = store.read_identity(run)
    derived, _ = result
    found = [
        *_completeness(derived),
        *_campaign(identity),
        *_sizes(run),
        *check_published(identity),
        *_weights(identity["model"], card),
        *check_alone(run, identity, result, None if card is None else card.threshold),
    ]
    return found, result


def _of_model(folder: Path) -> list[Finding]:
    try:
        model, card = model_cards.read(folder)
    except IISZooError as error:
        return [Finding(CARD, "differs", _cause(error))]
    found = []
    if model_slug(model) != folder.name:
        found.append(Finding(NAMES, "differs", f"{model} belongs in {model_slug(model)}/"))
    if card is not None and card.id != model.partition("?")[0]:
        found.append(Finding(CARD, "differs", f"it is that of {card.id}, and the model is {model}"))
    return agreed(CARD, found, "the model's")


def _of_run(repo: Path, run: Path) -> Place:
    path = _within(repo, run)
    try:
        model, card = model_cards.read(run.parent)
    except IISZooError:
        model, card = None, None  # told of the model's folder
    try:
        found, result = check_run(run, card)
        identity = store.read_identity(run)
        wanted = layout.folder_of(identity)
    except IISZooError as error:
        return Place(path, [Finding("run", "differs", _cause(error))])
    if wanted != Path(path):
        found.append(Finding(NAMES, "differs", f"the run belongs in {wanted.as_posix()}"))
    if model is not None and model != identity["model"]["id"]:
        found.append(
            Finding(CARD, "differs", f"it is that of {model}, and the run is one of {identity['model']['id']}")
        )
    return Place(path, [*found, *_replays(run, result)], result)


def _completeness(derived: dict[str, Any]) -> Iterator[Finding]:
    if not derived["complete"]:
        missing = units.number_of(derived["n_samples"] - derived["n_done"], "sample")
        yield Finding(
            COMPLETE, "differs", f"{missing} missing, and only whole runs can be compared; go on with the run"
        )


def _campaign(identity: dict[str, Any]) -> Iterator[Finding]:
    if "campaign" in identity:
        yield Finding(
            COMPLETE, "differs", "it is an arm of a campaign, whose sessions are not those of its model alone"
        )


def _weights(stated: dict[str, Any], card: ModelCard | None) -> list[Finding]:
    """Whether the weights are those of the card, as far as it states their sha256."""
    if card is None:
        return [Finding(WEIGHTS, "unchecked", "there is no card that states them")]
    known = {file.filename: file.sha256 for file in card.weights}
    found = []
    for line in stated.get("weights", []):
        name, _, sha256 = line.partition(" sha256 ")
        if name not in known:
            text = f"the run is one of {name}, which the card of {card.id} does not have; give that model a card"
            found.append(Finding(WEIGHTS, "differs", text))
        elif known[name] not in (None, sha256):
            found.append(Finding(WEIGHTS, "differs", f"{name} is {other(sha256, known[name])} on the card"))
    return agreed(WEIGHTS, found, "; ".join(stated.get("weights", [])) or "none")


def _sizes(run: Path) -> Iterator[Finding]:
    for path in layout.own_files(run):
        size = path.stat().st_size
        if size > layout.LARGEST_FILE:
            text = f"{path.name} has {units.size(size)}, more than {units.size(layout.LARGEST_FILE)}"
            yield Finding(SIZES, "differs", text)


def _replays(run: Path, result: Result) -> list[Finding]:
    try:
        there = replays.read(run)
    except IISZooError as error:
        return [Finding(REPLAYS, "differs", _cause(error))]
    content, known = layout.content_of(run), {trace.sample for trace in result[1]}
    found = []
    for replay in there:
        who = f"that by {replay.by} on {replay.date}"
        if replay.content != content:
            found.append(Finding(REPLAYS, "differs", f"{who} was of other traces; repeat it, or take it out"))
        elif not replay.agrees:
            told = replay.told[0] if replay.told else "it says not why"
            found.append(Finding(REPLAYS, "unchecked", f"{who} did not agree: {told}"))
        if not replay.samples or not set(replay.samples) <= known or replay.n_samples != result[0]["n_samples"]:
            found.append(Finding(REPLAYS, "differs", f"{who} names samples that the run does not have"))
    return agreed(REPLAYS, found, units.number_of(len(there), "replay") if there else "none yet")


def _stranger(path: Path) -> Finding:
    return Finding(NAMES, "differs", f"the layout has no such {'link' if path.is_symlink() else 'file or folder'}")


def _within(repo: Path, path: Path) -> str:
    return path.relative_to(repo).as_posix()


def _cause(error: IISZooError) -> str:
    return str(error).partition("\n")[0]
