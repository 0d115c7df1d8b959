"""Figures of the zoo's models: those that papers and upstream repositories publish, and those measured here.

`benchmarks/published.csv` states each figure's source. `benchmarks/measured.csv` is written by `docs/write_tables.py`
from the runs in `benchmarks/results`, all under the evaluation protocol `standard`.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import iiszoo
from iiszoo.errors import BadOption


@dataclass(frozen=True)
class Published:
    """One figure. `metric` is a name from `engine.metrics.metrics_of`, such as `noc90`; `robot` made the clicks."""

    model: str
    dataset: str
    metric: str
    value: float
    source: str
    robot: str


@dataclass(frozen=True)
class Measured:
    """One run: mean NoC, and IoU in [0, 1] after one and five clicks, over `n` samples; `nof90`: those that took all
    clicks. Medians in milliseconds: `init_ms` of the image's encoding, `click_ms` of the model's answer. `run` is the
    run's directory in `benchmarks/results`.
    """

    model: str
    dataset: str
    n: int
    noc85: float
    noc90: float
    nof90: int
    iou1: float
    iou5: float
    init_ms: float
    click_ms: float
    device: str
    threads: int
    run: str


def file(name: str) -> Path:
    """A table's file: a wheel has it inside the package, a checkout (also an editable install) in benchmarks/."""
    package = Path(iiszoo.__file__).parent
    return next(path for path in (package / name, package.parent / "benchmarks" / name) if path.is_file())


@cache
def published() -> tuple[Published, ...]:
    """Every published figure, in the order of the file."""
    return read_published(file("published.csv"))


def read_published(path: Path) -> tuple[Published, ...]:
    """The figures of a table with the columns of published.csv; `robot` may be left out or empty, for `ritm`.

    Raises `BadOption` that names the file, and the line that is wrong.
    """
    columns = [field.name for field in fields(Published)]
    try:
        with path.open(newline="", encoding="utf-8-sig") as table:
            reader = csv.DictReader(table)
            there = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        cause = getattr(error, "strerror", None) or error
        raise BadOption(
            f"the table {path} cannot be read: {cause}; give a CSV file with {', '.join(columns)}"
        ) from error
    absent = [name for name in columns if name != "robot" and name not in there]
    if absent or not rows:
        lack = f"lacks the column {absent[0]!r}" if absent else "has no rows"
        raise BadOption(f"the table {path} {lack}; its columns must be {', '.join(columns)}")
    return tuple(_published(row, f"{path}, line {line}") for line, row in rows)


def _published(row: dict[str, str | None], place: str) -> Published:
    cells = {field.name: (row.get(field.name) or "").strip() for field in fields(Published)}
    empty = [name for name, cell in cells.items() if not cell and name not in ("robot", "source")]
    if empty or None in row:
        raise BadOption(f"{place}: {f'{empty[0]} is empty' if empty else 'there are more cells than columns'}")
    try:
        value = float(cells["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadOption(f"{place}: value must be a number, not {cells['value']!r:.60}")
    return Published(**{**cells, "value": value, "robot": cells["robot"] or "ritm"})  # type: ignore[arg-type]


@cache
def measured() -> tuple[Measured, ...]:
    """Every run, in the order of the file."""
    kinds = {"str": str, "int": int, "float": float}
    fields = {name: kinds[str(kind)] for name, kind in Measured.__annotations__.items()}
    with file("measured.csv").open(newline="", encoding="utf-8") as table:
        return tuple(Measured(**{name: fields[name](row[name]) for name in fields}) for row in csv.DictReader(table))


@cache
def _published_by_id() -> dict[str, list[Published]]:
    rows: dict[str, list[Published]] = {}
    for row in published():
        rows.setdefault(row.model.partition("?")[0], []).append(row)
    return rows


def published_of(id: str) -> list[Published]:
    """Every published figure of a model, also with options (`ritm/h18s?preset=davis`)."""
    return _published_by_id().get(id, [])


@cache
def _published_by_name() -> dict[tuple[str, str, str], Published]:
    return {(row.model, row.dataset, row.metric): row for row in published()}


def lookup(model: str, dataset: str, metric: str) -> Published | None:
    """The published figure of a resolved model name on a dataset id, or None."""
    return _published_by_name().get((model, dataset, metric))
