"""A directory of images being annotated, and the directory that the results are in.

OUT/images/ masks/ annotations.json sessions.jsonl      for others (`iiszoo.annotate.output`)
OUT/journal/STEM.jsonl          the log of an image, from which all of that follows
OUT/journal/masks/HASH.png      every mask that was accepted, or saved as a draft
OUT/journal/names.json          the stem of each image's results
OUT/journal/labels.json         the labels, in the order of their numbers
OUT/journal/models.json         the models that answered
OUT/journal/place.json          where the page was
OUT/journal/answering.json      the click that the model is answering; only while it does
OUT/journal/lock                held while a process uses the directory
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.annotate import sessions
from iiszoo.annotate.document import History
from iiszoo.annotate.events import Event, EventLog
from iiszoo.annotate.images import ImageFile, folder
from iiszoo.annotate.initial import InitialMasks
from iiszoo.annotate.masks import SavedMasks
from iiszoo.annotate.output import Output
from iiszoo.data.base import image_files
from iiszoo.errors import BadOption, DatasetError, RunError

DEFAULT_LABEL = "object"


class Workplace:
    """The images of `directory`, their logs, and the output `out`, which this process alone uses until `close`.

    Raises `DatasetError` if there are no images, `RunError` if `out` is in use, damaged or not writable, `BadOption`
    for bad labels, and `OSError` if the disk is full.
    """

    def __init__(self, directory: Path, out: Path, labels: Sequence[str] = (), initial: str | None = None) -> None:
        self.directory, self.out, self.journal = directory, out, out / "journal"
        given = checked_labels(labels)
        if not directory.is_dir() or not image_files(directory):
            folder(directory, self.journal / "names.json")  # raises, before anything is created
        try:
            self.journal.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{out} cannot be written ({error.strerror or error}); give another --out") from error
        try:
            self._lock = files.lock(self.journal / "lock", 0)
        except TimeoutError as error:
            raise RunError(
                f"{out} is in use by another `iiszoo annotate`; go on there, end it, or give another --out"
            ) from error
        except OSError as error:
            raise RunError(f"{out} cannot be written ({error.strerror or error}); give another --out") from error
        try:
            found = folder(directory, self.journal / "names.json")
            logs = {image: EventLog(self.journal / f"{image.stem}.jsonl") for image in found.images}
            changed = [fault for image, log in logs.items() if (fault := _other_size(image, log))]
            self.faults = [*found.faults, *changed]
            self.logs = [log for image, log in logs.items() if not _other_size(image, log)]
            self.images = [image for image, log in logs.items() if not _other_size(image, log)]
            if not self.images:
                raise DatasetError("; ".join(self.faults))
            self.initial = None if initial is None else InitialMasks(initial, self.images)
            self.saved = SavedMasks(self.journal / "masks")
            self.histories = [_history(log) for log in self.logs]
            self.labels = self._all_labels(given)
            files.replace_text(self.journal / "labels.json", json.dumps(self.labels, ensure_ascii=False) + "\n")
            self.output = Output(out, self.saved)
        except BaseException:
            self.close()
            raise

    def do(self, number: int, do: str, **what: Any) -> Event:
        """Do something to an image, and write it into its log. Raises `BadOption` if it cannot be done, `OSError`."""
        history, log = self.histories[number], self.logs[number]
        history.check({"n": len(log.events) + 1, "at": 0, "do": do, **what})
        event = log.append(do, **what)
        history.add(event)
        return event

    def open(self, number: int) -> None:
        """Note that an image is on the page, and which file it is. Raises `OSError`."""
        image = self.images[number]
        self.do(number, "open", size=list(image.size), sha256=files.sha256(image.path)[0])

    def begin(self, number: int) -> bool:
        """Give an image the masks that it comes with, once; returns whether it did.

        Raises `DatasetError` naming a mask that cannot be used, and `OSError`.
        """
        if self.initial is None or any(event["do"] == "initial" for event in self.logs[number].events):
            return False
        found = self.initial.masks(number)
        if not found:
            return False
        objects = [{"label": label or self.labels[0], "mask": self.saved.save(mask)} for label, mask in found]
        self.do(number, "initial", source=self.initial.source, objects=objects)
        self.labels = self._all_labels(self.labels)
        return True

    def publish(self, number: int, identities: sessions.Identities) -> None:
        """Write what follows from the log of an image; then the disk has all of it. Raises `OSError`."""
        self.logs[number].sync()
        self._put(number, identities)
        self.output.write(self.labels)

    def repair(self, identities: sessions.Identities) -> None:
        """Write everything that follows from the logs: the last process may have been killed before it did."""
        used = [number for number, log in enumerate(self.logs) if log.events]
        for number in used:
            self._put(number, identities)
        if used:
            self.output.write(self.labels)

    def _put(self, number: int, identities: sessions.Identities) -> None:
        image, accepted = self.images[number], self.histories[number].document.accepted
        lines = sessions.lines(self._described(number), self.logs[number].events, identities) if accepted else []
        self.output.put(image, accepted, lines)

    def _described(self, number: int) -> dict[str, Any]:
        """What every line about an image begins with; the hash of its file is that of when it was opened last."""
        image = self.images[number]
        hashes = [event["sha256"] for event in self.logs[number].events if event["do"] == "open" and "sha256" in event]
        return {
            "image": image.name,
            "stem": image.stem,
            "size": list(image.size),
            "image_sha256": hashes[-1] if hashes else files.sha256(image.path)[0],
        }

    def take_back_unanswered(self) -> str:
        """Take back the click that a model was answering when the last process died; returns a sentence about it.

        So a click that kills the program, for want of memory, does not kill it again at every start.
        """
        found = _json_in(self.journal / "answering.json")
        self.answered()
        stem = found.get("stem") if isinstance(found, dict) else None
        number = next((k for k, image in enumerate(self.images) if image.stem == stem), None)
        if number is None:
            return ""
        current = self.histories[number].document.worked_on
        clicks = [click.n for click in current.clicks] if current else []
        if current is None or found.get("click") not in clicks:
            return ""
        if current.steps[-1] == current.clicks[-1] and clicks[-1] == found["click"]:
            self.do(number, "undo")
        else:
            self.do(number, "unclick", click=found["click"])
        return (
            f"The program ended while a model answered a click on {self.images[number].name}; "
            "that click was taken back."
        )

    def answering(self, number: int, click: int) -> None:
        """Note that a model begins to answer a click. Raises `OSError`."""
        text = json.dumps({"stem": self.images[number].stem, "click": click})
        (self.journal / "answering.json").write_text(text, "utf-8")

    def answered(self) -> None:
        """Note that no model is answering."""
        (self.journal / "answering.json").unlink(missing_ok=True)

    @property
    def place(self) -> dict[str, Any]:
        """Where the page was: `stem` of the image, and `model`; {} if that is not known."""
        found = _json_in(self.journal / "place.json")
        return found if isinstance(found, dict) else {}

    @place.setter
    def place(self, value: Mapping[str, Any]) -> None:
        files.replace_text(self.journal / "place.json", json.dumps(value, ensure_ascii=False) + "\n")

    def close(self) -> None:
        for log in getattr(self, "logs", ()):
            log.close()
        self._lock.release()

    def _all_labels(self, first: Sequence[str]) -> list[str]:
        """`first`, then those of earlier times, then others that objects have or had; else the default one."""
        known = _json_in(self.journal / "labels.json")
        before = [str(label) for label in known] if isinstance(known, list) else []
        used = [label for log in self.logs for event in log.events for label in _labels_in(event)]
        return list(dict.fromkeys([*first, *before, *used])) or [DEFAULT_LABEL]


def checked_labels(labels: Sequence[str]) -> list[str]:
    """The labels without blanks around them. Raises `BadOption` for an empty or a double one."""
    plain = [label.strip() for label in labels]
    if not all(plain):
        raise BadOption("a label is empty; write --labels cat,dog")
    twice = [label for label in plain if plain.count(label) > 1]
    if twice:
        raise BadOption(f"label {twice[0]!r} is given twice")
    return plain


def _other_size(image: ImageFile, log: EventLog) -> str:
    """The fault of an image that has another size than when it was annotated; "" if it has not."""
    before = [event["size"] for event in log.events if event["do"] == "open" and "size" in event]
    if not before or before[-1] == list(image.size):
        return ""
    sizes = "{}x{} (rows x columns) pixels, but had {}x{}".format(*image.size, *before[-1])
    return f"{image.path}: has {sizes} when it was annotated; restore it, or move {log.path} away to start it again"


def _labels_in(event: Event) -> list[str]:
    if event["do"] == "initial":
        return [entry["label"] for entry in event["objects"]]
    return [event["label"]] if "label" in event else []


def _history(log: EventLog) -> History:
    try:
        return History(log.events)
    except (BadOption, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{log.path}: is damaged ({error}); restore the file, or move it away to start this image again"
        ) from error


def _json_in(path: Path) -> Any:
    """The value of a JSON file that is only a convenience; {} if it is missing or damaged."""
    with suppress(OSError, ValueError, RecursionError):
        return json.loads(path.read_bytes())
    return {}
