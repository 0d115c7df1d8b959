"""Figures of the zoo's models: those that papers and upstream repositories publish, and those measured here.

`benchmarks/published.csv` states each figure's source. `benchmarks/measured.csv` is written by `docs/write_tables.py`
from the runs in `benchmarks/results`, all under the evaluation protocol `standard`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import iiszoo


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
    with file("published.csv").open(newline="", encoding="utf-8") as table:
        return tuple(
            Published(**{**row, "value": float(row["value"]), "robot": row["robot"] or "ritm"})  # type: ignore[arg-type]
            for row in csv.DictReader(table)
        )


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
