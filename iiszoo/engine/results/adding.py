"""Copying a run into a results repository."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iiszoo import files
from iiszoo.engine.results import layout, model_cards
from iiszoo.engine.results.checking import check_run
from iiszoo.engine.runs import store
from iiszoo.errors import RunError
from iiszoo.registry import resolve_model


@dataclass(frozen=True)
class Added:
    """A run that is in the repository now; `there`: it was already."""

    run: Path
    place: Path
    outcome: Literal["added", "replaced", "there"]


def add(run: Path, repo: Path, replace: bool = False) -> Added:
    """Copy a run that is whole and consistent, and its model's card. What is there and the same stays as it is, with
    its replays. `replace`: also another run of the same model, data and protocol, whose replays are then gone.

    Raises `RunError` if the run is damaged, incomplete or inconsistent, if another is in its place, or if `repo` is
    something else.
    """
    layout.refuse_another(repo)
    identity = store.read_identity(run)
    model = identity["model"]["id"]
    stated = model_cards.values_of(model)
    card = None if stated["card"] is None else resolve_model(model)[0]
    faults = [finding for finding in check_run(run, card)[0] if finding.status == "differs"]
    if faults:
        of_each_kind = {fault.check: fault for fault in reversed(faults)}  # the first of each
        told = "; ".join(f"{kind}: {fault.sentence}" for kind, fault in reversed(of_each_kind.items()))
        raise RunError(f"{run} is not added: {told}")
    place = repo / layout.folder_of(identity)
    there = place.is_dir() and layout.content_of(place) == layout.content_of(run)
    if place.is_dir() and not there and not replace:
        what = "; ".join(store.differences(identity, store.read_identity(place))) or "the same identity, other traces"
        raise RunError(f"{run} is not added: {place} has another run ({what}); --replace puts this one in its place")
    outcome: Literal["added", "replaced", "there"] = "there" if there else "replaced" if place.is_dir() else "added"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _write_card(place.parent, stated)
        if not there:
            _copy(run, place)
    except OSError as error:
        raise RunError(f"{run} cannot be copied to {place}: {error.strerror or error}") from error
    return Added(run, place, outcome)


def _write_card(folder: Path, stated: dict[str, object]) -> None:
    """A card that is there stays where there is none here, for lack of a plugin."""
    if stated["card"] is not None or not (folder / layout.CARD).exists():
        store.write_json(folder / layout.CARD, stated)


def _copy(run: Path, place: Path) -> None:
    """The whole folder in one step: a run is never half there."""
    with tempfile.TemporaryDirectory(prefix=".", dir=place.parent) as part:
        fresh = Path(part) / place.name
        fresh.mkdir()
        for path in layout.own_files(run):
            files.replace_bytes(fresh / path.name, path.read_bytes())
        if (run / layout.REPLAYS).is_file():
            shutil.copyfile(run / layout.REPLAYS, fresh / layout.REPLAYS)
        if place.is_dir():
            place.rename(Path(part) / "before")
        fresh.rename(place)
