"""A cost model from the sessions of real people: `sessions.jsonl`, as the annotation page writes it.

Each line is one accepted object: `opened`, when its image was opened; `actions`, what was done to it, each with `at`
(seconds since 1970) and `do`; `steps`, what leads to its mask, of which the first is `start` if there was a mask to
correct.
"""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path
from typing import Any

from iiszoo import files, units
from iiszoo.engine.campaign.cost_model import CostModel
from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.json_values import list_of, optional, real, record, text
from iiszoo.errors import BadOption

PAUSE = 30.0
"""Seconds: what lies longer between two actions is a pause, and is left out."""
_AT = real(0, 1e12)
_LINE = record(
    {"image": text, "opened": optional(_AT), "actions": list_of(record({"at": _AT, "do": text}))},
    {"steps": list_of(record({"do": text}))},
)


def cost_of(path: Path) -> CostModel:
    """Means over the file's sessions; a time that nobody needed (there were no proposals to review) is 0.

    - `click`: from one action on an object to the next click on it;
    - `first_look`: from the opening of an image, or from the acceptance before, to the first click on an object that
      began with no mask, less `click`: a click follows that look;
    - `review`: the same for an object that began with a mask, to its first action; less `click` if that is a click;
    - `change`: from the last action in an image to the opening of the next.

    Raises `BadOption` if the file cannot be read, is damaged, or has no click after another action.
    """
    lines = _read(path)
    clicks: list[float] = []
    looks: dict[bool, list[tuple[float, bool]]] = {True: [], False: []}
    ends: dict[str, float] = {}
    opened: dict[str, float] = {}
    for line in lines:
        actions, began = line["actions"], line["opened"]
        if not actions:
            continue
        for before, after in pairwise(actions):
            if after["do"] == "click":
                clicks.append(after["at"] - before["at"])
        image = line["image"]
        since = max(filter(None, (began, ends.get(image)))) if began or image in ends else None
        corrected = any(step["do"] == "start" for step in line.get("steps", [])[:1])
        if since is not None:
            looks[corrected].append((actions[0]["at"] - since, actions[0]["do"] == "click"))
        if began is not None:
            opened.setdefault(image, began)
        ends[image] = max(ends.get(image, 0.0), actions[-1]["at"])
    known = [time for time in clicks if 0 <= time <= PAUSE]
    if not known:
        raise BadOption(f"{path}: no session has a click after another action, so the time of a click is unknown")
    click = statistics.fmean(known)
    first_look, review = (
        _mean([max(0.0, time - (click if clicked else 0.0)) for time, clicked in looks[kind] if 0 <= time <= PAUSE])
        for kind in (False, True)
    )
    times = sorted((began, ends[image]) for image, began in opened.items())
    change = _mean([after - before for (_, before), (after, _) in pairwise(times) if 0 <= after - before <= PAUSE])
    return CostModel(
        path.stem, click, first_look, review, change,
        f"{path}: means of {units.number_of(len(lines), 'object')} and {units.number_of(len(known), 'click')} of real "
        f"people; {len(clicks) - len(known)} pauses of more than {PAUSE:g} s before a click are left out",
    )  # fmt: skip


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        content = files.read_bytes(path)
    except OSError as error:
        raise BadOption(f"cost model {path} cannot be read: {error.strerror or error}") from error
    found = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                found.append(_LINE(json_values.parse(line), ""))
            except ValueError as error:
                raise BadOption(f"{path}, line {number}, is not a line of sessions.jsonl: {error}") from error
    return found


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else 0.0
