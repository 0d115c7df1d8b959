"""Clicks that people have made, by sample: from `sessions.jsonl` of the annotation page, or from a CSV file in the
layout of RClicks (arXiv 2410.11722, `datasets/clicks.csv` of emb-ai/rclicks at e20bf76).

- `sessions.jsonl`: a line is the session of one person on one object. Its clicks are those of `steps`, which lead to
  the mask; strokes, and what was taken back, are left out. The sample's id is `STEM__K` for object K of image STEM, as
  in `folder:OUT`; and STEM too, if the file has only one object of that image.
- CSV: a line is one click, in columns by name, in any order: `dataset`, `image_stem`, `full_stem`, `click_type`, `x`
  (column) and `y` (row); `w` and `h`, if they are there, are the size of the image on which it was made. `first` is the
  click of one of many people on an object of which nothing was selected; `fn` (object missed) and `fp` (background
  selected) are clicks after it, on the mask of some model. `full_stem` begins with the image's stem, then has
  `_______` and the object's number if the image has several objects, then what tells the mask: the sample's id is the
  image's stem, followed by `__NUMBER` where there is one. Coordinates outside the image are moved to its border, as in
  `Clicks.clicks` there.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from iiszoo import files
from iiszoo.errors import BadOption, few
from iiszoo.file_names import sample_name

COLUMNS = ("dataset", "image_stem", "full_stem", "click_type", "x", "y")
"""What a CSV file must have."""
_OBJECT = re.compile(r"_______(\d+)")


class RecordedClick(NamedTuple):
    """A pixel, (row, col) from 0, and whether the person meant the object."""

    row: int
    col: int
    positive: bool


@dataclass(frozen=True)
class Recording:
    """The clicks of one person on one sample, or, in a CSV file, one first click and what anyone clicked later.

    `first` is the click made when nothing was selected, None if the person began with a mask, or made no click. `size`
    is (rows, columns) of the image, in which all clicks lie; None if it is unknown, and they may lie outside.
    """

    first: RecordedClick | None
    later: tuple[RecordedClick, ...]
    size: tuple[int, int] | None

    def on(self, size: tuple[int, int]) -> Recording:
        """The same clicks on the image in another `size`, each moved into it.

        Raises `ValueError` if that is not the same image: its sides have another ratio.
        """
        if self.size == size:
            return self
        if self.size is not None:
            (height, width), (rows, columns) = self.size, size
            if abs(height * columns - width * rows) > max(height, width, rows, columns):  # more than half a pixel or so
                raise ValueError(f"they were made on an image of {height} x {width}, but it has {rows} x {columns}")
        before = self.size or size
        first = None if self.first is None else _moved(self.first, before, size)
        return Recording(first, tuple(_moved(click, before, size) for click in self.later), size)


def _moved(click: RecordedClick, before: tuple[int, int], size: tuple[int, int]) -> RecordedClick:
    """The click on the image of size `before`, inside it, on the image in another `size`."""
    row, col = (min(max(at, 0), side - 1) for at, side in zip(click[:2], before, strict=True))
    return RecordedClick(row * size[0] // before[0], col * size[1] // before[1], click.positive)


Recordings = Mapping[str, Sequence[Recording]]
"""By sample id."""


def read_recordings(path: Path, dataset: str = "") -> dict[str, list[Recording]]:
    """The recordings of a file; `dataset` is the value of a CSV file's column whose lines are read.

    Raises `BadOption` if the file cannot be read, is damaged, or has several datasets and none is chosen.
    """
    try:
        text = files.read_text(path)
    except OSError as error:
        raise BadOption(f"recorded clicks {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadOption(
            f"recorded clicks {path} cannot be read: it is not text, but must be sessions.jsonl or CSV"
        ) from error
    found = _of_table(path, text, dataset) if path.suffix.lower() == ".csv" else _of_sessions(path, text, dataset)
    if not found:
        raise BadOption(f"recorded clicks {path}: there is no click in it")
    return found


def _of_sessions(path: Path, text: str, dataset: str) -> dict[str, list[Recording]]:
    if dataset:
        raise BadOption(f"recorded clicks {path}: only a CSV file has datasets; leave out dataset={dataset}")
    by_object: dict[tuple[str, int], list[Recording]] = defaultdict(list)
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                stem, which, recording = _session(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise BadOption(
                    f"recorded clicks {path}: line {number} is not a line of sessions.jsonl ({_why(error)}); give a "
                    "file that the page of `iiszoo annotate` wrote, or one that ends in .csv"
                ) from error
            by_object[stem, which].append(recording)
    objects = defaultdict(list)
    for stem, which in by_object:
        objects[stem].append(which)
    found = {f"{stem}__{which}": recordings for (stem, which), recordings in by_object.items()}
    for stem, several in objects.items():
        if len(several) == 1:
            found.setdefault(stem, by_object[stem, several[0]])
    return found


def _session(line: Any) -> tuple[str, int, Recording]:
    """(STEM, K, recording). Raises what malformed values raise."""
    height, width = line["size"]
    size = _whole(height, "size"), _whole(width, "size")
    steps = line["steps"]
    clicks = []
    for step in steps:
        if step["do"] == "click":
            positive = step["positive"]
            if not isinstance(positive, bool):
                raise ValueError("positive is not true or false")
            click = RecordedClick(_whole(step["row"], "row"), _whole(step["col"], "col"), positive)
            if click.row >= size[0] or click.col >= size[1]:
                raise ValueError(f"click ({click.row}, {click.col}) is outside the image of {size[0]} x {size[1]}")
            clicks.append(click)
    from_nothing = bool(clicks) and steps[0]["do"] == "click"
    first, later = (clicks[0], clicks[1:]) if from_nothing else (None, clicks)
    return sample_name(str(line["stem"])), _whole(line["object"], "object"), Recording(first, tuple(later), size)


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is {value!r:.40}, not a whole number from 0")
    return value


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)[:200]


@dataclass
class _Sample:
    """The clicks of one sample in a CSV file."""

    size: tuple[int, int] | None
    firsts: list[RecordedClick] = field(default_factory=list)
    later: list[RecordedClick] = field(default_factory=list)

    def recordings(self) -> list[Recording]:
        later = tuple(self.later)
        if not self.firsts:
            return [Recording(None, later, self.size)]
        return [Recording(first, later, self.size) for first in self.firsts]


def _of_table(path: Path, text: str, dataset: str) -> dict[str, list[Recording]]:
    samples: dict[str, _Sample] = {}
    datasets: dict[str, None] = {}
    for number, row in _rows(path, text):
        datasets[row["dataset"]] = None
        if dataset and row["dataset"] != dataset:
            continue
        try:
            id, kind, click, size = _line(row)
            sample = samples.setdefault(id, _Sample(size))
            if size is not None and sample.size is not None:
                click = _moved(click, size, sample.size)
            elif size is not sample.size:
                raise ValueError("w and h are given in some lines of the sample, and missing in others")
        except ValueError as error:
            raise BadOption(f"recorded clicks {path}: line {number} cannot be used ({error}); correct it") from error
        (sample.firsts if kind == "first" else sample.later).append(click)
    if dataset and dataset not in datasets:
        raise BadOption(
            f"recorded clicks {path}: no dataset is called {dataset!r} there; it has {few(list(datasets), 8)}"
        )
    if not dataset and len(datasets) > 1:
        raise BadOption(
            f"recorded clicks {path}: it has clicks of several datasets; choose one, as in recorded:{path},dataset="
            f"{next(iter(datasets))} (there are {few(list(datasets), 8)})"
        )
    return {id: sample.recordings() for id, sample in samples.items()}


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, values by column)."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadOption(
            f"recorded clicks {path}: there is no column {missing[0]!r}; a CSV file of clicks has {', '.join(COLUMNS)}"
        )
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadOption(f"recorded clicks {path}: line {reader.line_num} has not as many values as columns")
            yield reader.line_num, row
    except csv.Error as error:
        raise BadOption(f"recorded clicks {path}: line {reader.line_num} is not CSV ({error})") from error


def _line(row: dict[str, str]) -> tuple[str, str, RecordedClick, tuple[int, int] | None]:
    """(sample id, click type, click, size). Raises `ValueError`."""
    kind = row["click_type"]
    if kind not in ("first", "fn", "fp"):
        raise ValueError(f"click_type is {kind!r:.40}, not first, fn or fp")
    stem, whole = row["image_stem"], row["full_stem"]
    if not stem or not whole.startswith(stem):
        raise ValueError(f"full_stem {whole!r:.80} does not begin with image_stem {stem!r:.80}")
    which = _OBJECT.match(whole, len(stem))
    id = sample_name(f"{stem}__{which[1]}" if which else stem)
    size = (_pixel(row["h"], "h"), _pixel(row["w"], "w")) if row.get("h") and row.get("w") else None
    if size is not None and min(size) < 1:
        raise ValueError(f"w and h are {size[1]} and {size[0]}")
    return id, kind, RecordedClick(_pixel(row["y"], "y"), _pixel(row["x"], "x"), kind != "fp"), size


def _pixel(text: str, name: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is {text!r:.40}, not a number") from error
