"""The figures to reproduce: a table of them, and which of its rows a user means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from iiszoo import catalogue, figures
from iiszoo.engine.metrics import NOC_TARGETS
from iiszoo.errors import BadOption, UnknownId
from iiszoo.figures import Published
from iiszoo.registry import unknown

TABLES = ("published", "measured")
METRICS = tuple(f"noc{round(100 * target)}" for target in NOC_TARGETS)
"""The metrics that can be reproduced: mean NoC."""


def target_of(metric: str) -> float:
    """The IoU up to which a metric counts clicks: 0.9 for `noc90`."""
    return NOC_TARGETS[METRICS.index(metric)]


def table(against: str) -> tuple[Published, ...]:
    """All rows of a table: `published`, those of papers and upstream repositories; `measured`, this project's own
    (benchmarks/results); or a CSV file with the columns of published.csv.

    Raises `BadOption`.
    """
    if against == "measured":
        return tuple(
            Published(run.model, run.dataset, metric, getattr(run, metric), f"benchmarks/results/{run.run}", "ritm")
            for run in figures.measured()
            for metric in ("noc85", "noc90")
        )
    if against != "published" and not against.endswith(".csv"):
        raise BadOption(f"no table of figures is called {against!r:.100}; give {', '.join(TABLES)} or a FILE.csv")
    rows = figures.published() if against == "published" else figures.read_published(Path(against))
    for row in rows:
        if row.metric not in METRICS:
            raise BadOption(
                f"{against}: {row.metric!r:.60} of {row.model} on {row.dataset} cannot be reproduced; the metrics that "
                f"can are {', '.join(METRICS)}"
            )
    return rows


def choose(
    rows: Sequence[Published], models: Sequence[str] = (), datasets: Sequence[str] = (), metrics: Sequence[str] = ()
) -> list[Published]:
    """The rows that fit: any of `models`, any of `datasets` and any of `metrics`, each all if empty.

    A model is an id, with or without options, a family, or as in `iiszoo list` a pattern or a part of an id; a dataset
    is an id or a pattern. Raises `UnknownId` for one that fits no row, and if no row fits all.
    """
    kept = [row for row in rows if not metrics or row.metric in metrics]
    kept = _fitting(kept, "model", lambda row: row.model, models, _fitting_models)
    kept = _fitting(kept, "dataset", lambda row: row.dataset, datasets, _fitting_datasets)
    if not kept:
        raise UnknownId(f"there is no figure of {' or '.join(metrics)}; leave out --metric")
    return kept


def _fitting(
    rows: list[Published],
    what: str,
    name_of: Callable[[Published], str],
    words: Sequence[str],
    fitting: Callable[[str, list[str]], list[str]],
) -> list[Published]:
    names = list(dict.fromkeys(map(name_of, rows)))
    kept: set[str] = set()
    for word in words:
        found = fitting(word, names)
        if not found and rows:
            if what == "model" and fitting(word, [row.model for row in table("measured")]):
                raise UnknownId(
                    f"{word} has no such figures; --against measured takes those that iiszoo's authors measured"
                )
            known = sorted({name.partition("?")[0] for name in names})
            raise UnknownId(unknown(f"{what} with such figures", word, known, "iiszoo results reproduce --plan"))
        kept.update(found)
    return [row for row in rows if not words or name_of(row) in kept]


def _fitting_models(word: str, names: list[str]) -> list[str]:
    """Of an id or a family that is known, no other is meant: `ritm/h18` is not also `ritm/h18s`."""
    word = word.lower()
    spellings = (
        names if "?" in word else [],  # with these options
        [name.partition("?")[0] for name in names],
        [name.partition("/")[0] for name in names],
    )
    for spelt in spellings:
        if word in spelt:
            return [name for name, spelling in zip(names, spelt, strict=True) if spelling == word]
    return [name for name in names if catalogue.matches(name.partition("?")[0], (word,)) or fnmatchcase(name, word)]


def _fitting_datasets(word: str, names: list[str]) -> list[str]:
    return [name for name in names if name == word or fnmatchcase(name, word)]
