"""The lines of sessions.jsonl: how each accepted object was made. docs/annotate.md describes them for readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iiszoo.annotate.document import Click, Document, History, Object, Start, Steps, Stroke
from iiszoo.annotate.events import Event

Identities = Mapping[str, Mapping[str, Any]]
"""What determines a model's answers (`iiszoo.model_reference.Identity`), by a short hash of it."""


def lines(image: Mapping[str, Any], events: list[Event], identities: Identities) -> list[dict[str, Any]]:
    """A line for each accepted object of an image, in the order of their numbers; `image` begins each of them."""
    history = History()
    done = _Done()
    for event in events:
        before = history.document
        history.add(event)
        done.add(event, before, history.document)
    return [_line(image, found, history, done, identities) for found in history.document.accepted]


class _Done:
    """What was done to each object, and how long it took."""

    def __init__(self) -> None:
        self.actions: dict[int, list[dict[str, Any]]] = {}
        self.seconds: dict[int, float] = {}
        self.opened: dict[int, float] = {}
        self._clock: float | None = None
        self._opened: float | None = None

    def add(self, event: Event, before: Document, after: Document) -> None:
        at, do = event["at"], event["do"]
        if do == "open":
            self._clock = self._opened = at
        if do in ("open", "close", "draft", "answered", "initial"):
            return
        id = next(iter(_concerned(event, before, after)), None)
        if id is not None:
            action = {"at": at, "do": do}
            if do == "click":
                action |= {"row": event["row"], "col": event["col"], "positive": event["positive"]}
            self.actions.setdefault(id, []).append(action)
            self.seconds[id] = self.seconds.get(id, 0.0) + max(0.0, at - (at if self._clock is None else self._clock))
            if self._opened is not None:
                self.opened.setdefault(id, self._opened)
        self._clock = at


def _concerned(event: Event, before: Document, after: Document) -> Iterable[int]:
    """The objects that an event is about, the first of them above all."""
    if "object" in event:
        yield event["object"]
    if event["do"] in ("undo", "redo"):
        old, new = ({found.id: found for found in document.objects} for document in (before, after))
        yield from (id for id in old.keys() | new.keys() if old.get(id) != new.get(id))
    yield from (id for id in (before.current, after.current) if id)


def _line(
    image: Mapping[str, Any], found: Object, history: History, done: _Done, identities: Identities
) -> dict[str, Any]:
    used = dict.fromkeys(
        answer["identity"]
        for length in range(len(found.accepted))
        if (answer := history.answers.get(found.accepted[: length + 1])) is not None
    )
    return {
        **image,
        "object": found.id,
        "label": found.label,
        "mask": found.mask,
        "seconds": round(done.seconds[found.id], 3) if found.id in done.seconds else None,
        "opened": done.opened.get(found.id),
        "models": [dict(identities[key]) for key in used if key in identities],
        "steps": [_step(found.accepted[: k + 1], history) for k in range(len(found.accepted))],
        "actions": done.actions.get(found.id, []),
    }


def _step(steps: Steps, history: History) -> dict[str, Any]:
    step = steps[-1]
    if isinstance(step, Start):
        return {"do": "start", "mask": step.mask}
    if isinstance(step, Stroke):
        points = [list(point) for point in step.points]
        return {"do": "stroke", "at": history.times[step.n], "size": step.size, "erase": step.erase, "points": points}
    assert isinstance(step, Click)
    answer = history.answers.get(steps, {})
    return {
        "do": "click",
        "at": history.times[step.n],
        "row": step.row,
        "col": step.col,
        "positive": step.positive,
        "model": step.model,
        "model_seconds": answer.get("seconds"),
        "mask": answer.get("mask"),
    }
