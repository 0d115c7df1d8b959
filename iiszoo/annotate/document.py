"""What is on an image: its objects, each a label and the steps that lead to its mask.

A document is a value: each event gives a new one (`applied`), and undo goes back to an earlier one (`History`). So
what is undone is exactly what was done, and the same log always gives the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from iiszoo.annotate.events import DEEDS, Event
from iiszoo.errors import BadOption


@dataclass(frozen=True)
class Click:
    """A click of the person, answered by `model`. `n` is its event's; two clicks are equal if they ask the same."""

    row: int
    col: int
    positive: bool
    model: str
    n: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Stroke:
    """A line drawn into the mask through `points` (row, col), `size` pixels wide; it erases, or adds to the object."""

    points: tuple[tuple[int, int], ...]
    size: int
    erase: bool
    n: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Start:
    """The mask that an object starts from, by its hash (`iiszoo.annotate.masks.digest`)."""

    mask: str


Step = Click | Stroke | Start
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Object:
    """One object of an image. `mask` is the hash of its accepted mask, which followed from `accepted`; None if it has
    not been accepted. `steps` may have gone on since.
    """

    id: int
    label: str
    steps: Steps = ()
    mask: str | None = None
    accepted: Steps = ()

    @property
    def changed(self) -> bool:
        """Whether there are steps that have not been accepted."""
        return self.mask is None or self.steps != self.accepted

    @property
    def clicks(self) -> list[Click]:
        return [step for step in self.steps if isinstance(step, Click)]


@dataclass(frozen=True)
class Document:
    """The objects of an image in the order of their ids; `current` is the id of the one that clicks go to, 0 if the
    next click begins another; `next_id` is the next object's.
    """

    objects: tuple[Object, ...] = ()
    current: int = 0
    next_id: int = 1

    def object(self, id: int) -> Object | None:
        return next((found for found in self.objects if found.id == id), None)

    @property
    def worked_on(self) -> Object | None:
        """The current object."""
        return self.object(self.current)

    @property
    def accepted(self) -> list[Object]:
        return [found for found in self.objects if found.mask is not None]


def applied(document: Document, event: Event) -> Document:
    """The document after an event of `DEEDS` or `initial`. Raises `BadOption` if it cannot be done here."""
    do = event["do"]
    if do == "click":
        step = Click(event["row"], event["col"], event["positive"], event["model"], event["n"])
        return _stepped(document, step, event["label"])
    if do == "stroke":
        points = tuple((row, col) for row, col in event["points"])
        return _stepped(document, Stroke(points, event["size"], event["erase"], event["n"]), event["label"])
    if do == "initial":
        made = document
        for entry in event["objects"]:
            start: Steps = (Start(entry["mask"]),)
            made = _with(made, Object(made.next_id, entry["label"], start, entry["mask"], start))
        return replace(made, current=document.current)
    if do in ("select", "delete", "label"):
        return _to_object(document, event)
    current = document.worked_on
    if current is None:
        raise BadOption("there is no object in work; click on one first")
    if do == "unclick":
        left = tuple(step for step in current.steps if not (isinstance(step, Click) and step.n == event["click"]))
        if len(left) == len(current.steps):
            raise BadOption("this click has been removed already")
        return _without_empty(document, replace(current, steps=left))
    if do == "accept":
        accepted = replace(current, mask=event["mask"], accepted=current.steps)
        return replace(_with(document, accepted), current=0)
    if do == "from_mask":
        return _with(document, replace(current, steps=(Start(event["mask"]),)))
    assert do == "discard", do
    return replace(_without_empty(document, replace(current, steps=current.accepted)), current=0)


def _to_object(document: Document, event: Event) -> Document:
    found = document.object(event["object"])
    if found is None:
        raise BadOption("this object has been deleted")
    if event["do"] == "label":
        return replace(_with(document, replace(found, label=event["label"])), current=document.current)
    if event["do"] == "select":
        return replace(document, current=found.id)
    left = tuple(other for other in document.objects if other.id != found.id)
    return replace(document, objects=left, current=0 if document.current == found.id else document.current)


def _stepped(document: Document, step: Step, label: str) -> Document:
    """With one more step of the current object, or of a new one."""
    current = document.worked_on or Object(document.next_id, label)
    return _with(document, replace(current, steps=(*current.steps, step)))


def _with(document: Document, changed: Object) -> Document:
    """With the object `changed`, new or not, as the current one."""
    others = [other for other in document.objects if other.id != changed.id]
    objects = tuple(sorted([*others, changed], key=lambda found: found.id))
    return Document(objects, changed.id, max(document.next_id, changed.id + 1))


def _without_empty(document: Document, changed: Object) -> Document:
    """With `changed`; without it if nothing is left of it."""
    if changed.steps or changed.mask is not None:
        return _with(document, changed)
    left = tuple(other for other in document.objects if other.id != changed.id)
    return replace(document, objects=left, current=0)


class History:
    """The document of a log, with what undo and redo lead to.

    `saved` has the hash of the mask of each list of steps whose mask has been saved, `answers` the note about the click
    that ends each list of steps, `times` when each event was. Undo does not go beyond the masks that the image came
    with.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._documents = [Document()]
        self._at = 0
        self._first = 0
        self.saved: dict[Steps, str] = {}
        self.answers: dict[Steps, Event] = {}
        self.times: dict[int, float] = {}
        for event in events:
            self.add(event)

    @property
    def document(self) -> Document:
        return self._documents[self._at]

    @property
    def can_undo(self) -> bool:
        return self._at > self._first

    @property
    def can_redo(self) -> bool:
        return self._at < len(self._documents) - 1

    def check(self, event: Event) -> None:
        """Raise `BadOption` if the event cannot be done now."""
        if event["do"] == "undo" and not self.can_undo:
            raise BadOption("there is nothing to undo")
        if event["do"] == "redo" and not self.can_redo:
            raise BadOption("there is nothing to redo")
        if event["do"] in DEEDS:
            applied(self.document, event)

    def add(self, event: Event) -> None:
        """Do what the event says. Raises `BadOption` if that cannot be."""
        self.check(event)
        self.times[event["n"]] = event["at"]
        do = event["do"]
        if do == "undo":
            self._at -= 1
        elif do == "redo":
            self._at += 1
        elif do in DEEDS:
            self._remember(event)
            self._documents[self._at + 1 :] = [applied(self.document, event)]
            self._at += 1
        elif do == "initial":
            self._documents[self._at + 1 :] = [applied(self.document, event)]
            self._at += 1
            self._first = self._at
        elif do in ("draft", "answered"):
            self._remember(event)

    def _remember(self, event: Event) -> None:
        """What a note, or the acceptance of a mask, says about the current object's steps."""
        current = self.document.worked_on
        if current is None:
            return
        if event["do"] in ("accept", "draft"):
            self.saved[current.steps] = event["mask"]
        elif event["do"] == "answered":
            ends = [k for k, step in enumerate(current.steps) if isinstance(step, Click) and step.n == event["click"]]
            if ends:
                self.answers[current.steps[: ends[0] + 1]] = event
