"""Recordings from a CSV file in the layout of RClicks (arXiv 2410.11722, `datasets/clicks.csv` of emb-ai/rclicks at
e20bf76).

A line is one click, in columns by name, in any order: `dataset`, `image_stem`, `full_stem`, `click_type`, `x`
(column) and `y` (row); `w` and `h`, if they are there, are the size of the image on which it was made. `first` is the
click of one of many people on an object of which nothing was selected; `fn` (object missed) and `fp` (background
selected) are clicks after it, on the mask of some model. `full_stem` begins with the image's stem, then has `_______`
and the object's number if the image has several objects, then what tells the mask: the sample's id is the image's
stem, followed by `__NUMBER` where there is one. Coordinates outside the image are moved to its border, as in
`Clicks.clicks` there; a file in which they are no exception is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from iiszoo import units
from iiszoo.clicking.recordings import RecordedClick, Recording, moved
from iiszoo.errors import BadOption, few
from iiszoo.file_names import sample_name

COLUMNS = ("dataset", "image_stem", "full_stem", "click_type", "x", "y")
"""What a CSV file must have."""
_OBJECT = re.compile(r"_______(\d+)")
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_MANY = 0.1
"""The share of a file's clicks that are no exceptions."""


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


@dataclass
class _Places:
    """How the clicks of a file lie in their images, as far as the images' sizes are given."""

    n: int = 0
    outside: int = 0
    outside_exchanged: int = 0
    fractions: int = 0

    def add(self, row: dict[str, str], click: RecordedClick, size: tuple[int, int] | None) -> None:
        self.n += 1
        x, y = float(row["x"]), float(row["y"])
        self.fractions += 0 <= x <= 1 and 0 <= y <= 1 and not (x.is_integer() and y.is_integer())
        if size is not None:
            self.outside += not _inside(click.row, click.col, size)
            self.outside_exchanged += not _inside(click.col, click.row, size)

    def fault(self) -> str:
        """Why they cannot be x, the column, and y, the row, in pixels; "" if they can."""
        if self.fractions > _MANY * self.n:
            return "x and y are fractions of the image; give pixels, x the column and y the row, from 0"
        share = f"{self.outside:,} of {units.number_of(self.n, 'click')} lie outside their images of w x h"
        if self.outside > _MANY * self.n and self.outside_exchanged < _MANY * self.outside:
            return f"{share}, and inside if x and y are exchanged; x must be the column, y the row"
        if self.outside > self.n / 2:
            return f"{share}; x must be the column and y the row, in pixels of an image of that size"
        return ""


def _inside(row: int, col: int, size: tuple[int, int]) -> bool:
    return 0 <= row < size[0] and 0 <= col < size[1]


def recordings_in(path: Path, text: str, dataset: str) -> dict[str, list[Recording]]:
    """The recordings in the `text` of the file `path`, of one `dataset`. Raises as `read_recordings`."""
    samples: dict[str, _Sample] = {}
    datasets: dict[str, None] = {}
    places = _Places()
    for number, row in _rows(path, text):
        datasets[row["dataset"]] = None
        if dataset and row["dataset"] != dataset:
            continue
        try:
            id, kind, click, size = _line(row)
            places.add(row, click, size)
            sample = samples.setdefault(id, _Sample(size))
            if size is not None and sample.size is not None:
                click = moved(click, size, sample.size)
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
    if fault := places.fault():
        raise BadOption(f"recorded clicks {path}: {fault}")
    return {id: sample.recordings() for id, sample in samples.items()}


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, values by column)."""
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = reader.fieldnames or []
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        fault = f"there is no column {missing[0]!r}"
        if not text.strip():
            fault = "it is empty"
        elif len(names) == 1 and (separators := [name for mark, name in _SEPARATORS.items() if mark in names[0]]):
            fault = f"its columns are separated by {separators[0]}, not by commas"
        raise BadOption(f"recorded clicks {path}: {fault}; a CSV file of clicks has {','.join(COLUMNS)}")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise BadOption(f"recorded clicks {path}: there are {names.count(twice[0])} columns {twice[0]!r}; keep one")
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
