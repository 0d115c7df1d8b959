"""The recordings in a file: `sessions.jsonl` of the annotation page, or a CSV file (`iiszoo.clicking.click_table`).

A line of `sessions.jsonl` is the session of one person on one object. Its clicks are those of `steps`, which lead to
the mask; strokes, and what was taken back, are left out. The sample's id is `STEM__K` for object K of image STEM, as
in `folder:OUT`; and STEM too, if the file has only one object of that image.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from iiszoo import files
from iiszoo.clicking import click_table
from iiszoo.clicking.recordings import RecordedClick, Recording
from iiszoo.errors import BadOption
from iiszoo.file_names import sample_name


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
    found = (
        click_table.recordings_in(path, text, dataset)
        if path.suffix.lower() == ".csv"
        else _of_sessions(path, text, dataset)
    )
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
