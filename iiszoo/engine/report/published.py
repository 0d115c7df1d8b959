"""Figures that papers and upstream repositories publish, each with its source: `benchmarks/published.csv`."""

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


@cache
def _table() -> dict[tuple[str, str, str], Published]:
    package = Path(iiszoo.__file__).parent
    # a wheel has the table inside the package, a checkout (also an editable install) in benchmarks/
    paths = (package / "published.csv", package.parent / "benchmarks" / "published.csv")
    path = next(path for path in paths if path.is_file())
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            Published(**{**row, "value": float(row["value"]), "robot": row["robot"] or "ritm"})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
    return {(row.model, row.dataset, row.metric): row for row in rows}


def lookup(model: str, dataset: str, metric: str) -> Published | None:
    """The published figure of a resolved model id on a dataset id, or None."""
    return _table().get((model, dataset, metric))
