"""What the page of one model shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iiszoo import catalogue
from iiszoo.cards import ModelCard
from iiszoo.engine.report import charts
from iiszoo.engine.report.charts import Curves, Histogram, Series
from iiszoo.engine.report.page import provenance
from iiszoo.engine.report.pictures import Album, Picture, Sample, caption, marks, mask_alone, worst
from iiszoo.engine.site.gathering import Entry
from iiszoo.engine.site.lines import Line, rules_of

N_WORST = 8

Albums = Callable[[dict[str, Any]], Album | None]
"""The album of a run's data, from its summary; None where its images may not be shown, or are not here."""


@dataclass(frozen=True)
class DatasetView:
    """All runs of the model on the same data: their charts, and the worst samples of the first. `photographs`: whether
    the samples are shown on their images.
    """

    name: str
    curves: Curves
    histogram: Histogram
    runs: list[Series]
    samples: list[Sample]
    photographs: bool

    @property
    def worst_of(self) -> Series:
        """The run that the samples are of."""
        return self.runs[0]


@dataclass(frozen=True)
class RunFacts:
    """The provenance of one run, and its replays in sentences."""

    title: str
    facts: list[tuple[str, str]]
    replays: list[str]


@dataclass(frozen=True)
class ModelView:
    """The page of one model, with all its options. `facts` are the card's; `install` and `use` are commands."""

    id: str
    page: str
    card: ModelCard | None
    facts: list[tuple[str, str]]
    install: str
    use: str
    lines: list[Line]
    datasets: list[DatasetView]
    runs: list[RunFacts]


def view(id: str, card: ModelCard | None, lines: Sequence[Line], entries: Sequence[Entry], albums: Albums) -> ModelView:
    """The view of a model from its lines and runs; `id` is its name without options."""
    datasets: dict[str, list[tuple[Entry, Line]]] = {}
    by_run = {line.run: line for line in lines if line.run}
    for entry in sorted(entries, key=lambda one: (one.result[0]["dataset"], *_robot_order(by_run[one.path].robot))):
        line = by_run[entry.path]
        datasets.setdefault(line.dataset, []).append((entry, line))
    install = next((one.known.install for one in catalogue.entries() if one.card.id == id and one.known), "")
    return ModelView(
        id,
        lines[0].page,
        card,
        _facts(card),
        install,
        f"iiszoo bench --model {id} --dataset {lines[0].dataset}" if card is not None else "",
        sorted(lines, key=lambda line: (line.dataset, line.tier == "published", line.model, *_robot_order(line.robot))),
        [_dataset(name, [entry for entry, _ in there], albums) for name, there in datasets.items()],
        [_run_facts(entry, line) for there in datasets.values() for entry, line in there],
    )


def _robot_order(robot: str) -> tuple[bool, str]:
    """The standard's robot first: what a page shows of one run alone is of this one."""
    return robot != "ritm", robot


def _facts(card: ModelCard | None) -> list[tuple[str, str]]:
    found = {} if card is None else catalogue.facts(card)
    return [(name, _text(value)) for name, value in found.items() if value not in (None, "", (), [])]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _dataset(name: str, entries: Sequence[Entry], albums: Albums) -> DatasetView:
    labels = _labels([entry.result[0] for entry in entries])
    series = [Series(label, i, *entry.result) for i, (label, entry) in enumerate(zip(labels, entries, strict=True))]
    first = series[0]
    limits = first.target_iou, first.max_clicks
    samples = [Sample(trace, caption(trace, *limits), marks(trace)) for trace in worst(first.traces, *limits, N_WORST)]
    album = albums(first.summary)
    return DatasetView(
        name,
        charts.curves(series),
        charts.histogram(series),
        series,
        [_pictured(sample, album) for sample in samples],
        album is not None,
    )


def _pictured(sample: Sample, album: Album | None) -> Sample:
    picture: Picture | None
    crop: Picture | None
    if album is not None:
        ((picture, crop),) = album.pictures([sample.trace])
    else:
        picture, crop = mask_alone(sample.trace), None
    return replace(sample, picture=picture, crop=crop)


def _labels(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """What tells the runs of one model on one dataset apart: the robot, and where they differ, options and rules."""
    robots = [f"robot {summary['protocol']['robot']}" for summary in summaries]
    options = [summary["model"].partition("?")[2] for summary in summaries]
    rules = [rules_of(summary["protocol"]) for summary in summaries]
    parts = [robots]
    parts += [part for part in (options, rules) if len(set(part)) > 1]
    return [" · ".join(filter(None, texts)) for texts in zip(*parts, strict=True)]


def _run_facts(entry: Entry, line: Line) -> RunFacts:
    told = [
        f"{replay.by} on {replay.date}, iiszoo {replay.iiszoo}, seed {replay.seed}: "
        f"{'agrees' if replay.agrees else 'DIFFERS'}. {'. '.join(replay.told)}."
        for replay in entry.replays
    ]
    title = f"{entry.model} on {line.dataset}, robot {line.robot}, {line.protocol}"
    return RunFacts(title, provenance(entry.result[0]), told)
