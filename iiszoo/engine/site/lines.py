"""The lines of the leaderboard: one for each run, and one for the published figures of a model on a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from iiszoo import catalogue, figures
from iiszoo.cards import ModelCard
from iiszoo.engine.comparison import data
from iiszoo.engine.comparison.pairs import noc_intervals
from iiszoo.engine.report.columns import column
from iiszoo.engine.results.replays import Tier
from iiszoo.engine.runs.run_name import model_slug
from iiszoo.engine.runs.summary import Result
from iiszoo.engine.site.gathering import Entry
from iiszoo.figures import Published
from iiszoo.names import parse_name

METRICS = ("noc90", "noc85", "noc95", "nof90", "iou@1", "iou@5", "biou@5", "auc")
"""The metrics that lines can be ranked by; the first is what most papers state."""


@dataclass(frozen=True)
class Line:
    """One line. `page` is the name of its model's page; `protocol` the rules beside the robot, as a person reads them,
    "" for published figures; `metrics` maps names of `METRICS` to values, without what is unknown; `intervals` the
    same to the ends of 95 % intervals; `ms_click` and `ms_image` are medians on `device` with `threads`, those of the
    quickest run of the model on the data: other work on a machine only slows, and a robot does neither; `replayed`
    says by whom, when, and how many samples; `source` where a published figure is from; `run` is the run's folder.
    """

    model: str
    page: str
    dataset: str
    robot: str
    protocol: str
    tier: Tier
    starred: bool
    metrics: dict[str, float]
    parameters: int | None = None
    n: str = ""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    ms_click: float | None = None
    ms_image: float | None = None
    device: str = ""
    threads: int | None = None
    replayed: list[str] = field(default_factory=list)
    disputed: bool = False
    source: str = ""
    run: str = ""


def page_of(model: str) -> str:
    """The name of a model's page, which is the same whatever its options are."""
    return model_slug(model.partition("?")[0])


def of_runs(entries: Sequence[Entry]) -> list[Line]:
    """A line for every run."""
    names = data.names([entry.result[0] for entry in entries])
    found = [_of_run(entry, names[data.data_of(entry.result[0])]) for entry in entries]
    alike: dict[tuple[object, ...], list[Line]] = {}
    for line in found:
        alike.setdefault(_conditions(line), []).append(line)
    return [_timed(line, alike[_conditions(line)]) for line in found]


def _conditions(line: Line) -> tuple[object, ...]:
    """What the times depend on, apart from other work on the machine."""
    return line.model, line.dataset, line.device, line.threads


def _timed(line: Line, alike: Sequence[Line]) -> Line:
    clicks = [one.ms_click for one in alike if one.ms_click is not None]
    images = [one.ms_image for one in alike if one.ms_image is not None]
    return replace(line, ms_click=min(clicks, default=None), ms_image=min(images, default=None))


def _of_run(entry: Entry, dataset: str) -> Line:
    summary, _ = entry.result
    environment, times = summary["provenance"].get("environment", {}), summary["times"]
    card, done, total = entry.card, summary["n_done"], summary["n_samples"]
    return Line(
        model=entry.model,
        page=page_of(entry.model),
        dataset=dataset,
        robot=summary["protocol"]["robot"],
        protocol=rules_of(summary["protocol"]),
        tier=entry.tier,
        starred=card is not None and parse_name(summary["dataset"]).id in card.training_datasets,
        metrics={name: value for name in METRICS if (value := column(name).value(summary)) is not None},
        parameters=None if card is None else card.n_parameters,
        n=f"{done}" if done == total else f"{done} of {total}",
        intervals=_intervals(entry.result),
        ms_click=times.get("model_ms_median"),
        ms_image=times.get("init_ms_median"),
        device=environment.get("device", ""),
        threads=environment.get("threads"),
        replayed=[
            f"{replay.by}, {replay.date}: {len(replay.samples)} of {replay.n_samples} samples"
            f"{'' if replay.agrees else ', DIFFERED'}"
            for replay in entry.replays
        ],
        disputed=not all(replay.agrees for replay in entry.replays),
        run=entry.path,
    )


def rules_of(rules: dict[str, Any]) -> str:
    """`20 clicks, until IoU 0.90`; the seed, if it is not 0. Not the threshold, which is mostly the model's own."""
    seed = f", seed {rules['seed']}" if rules["seed"] else ""
    return f"{rules['max_clicks']} clicks, until IoU {rules['target_iou']:.2f}{seed}"


def _intervals(result: Result) -> dict[str, tuple[float, float]]:
    found = noc_intervals(result)
    return {name: (found[name].low, found[name].high) for name in METRICS if name in found}


def of_published() -> list[Line]:
    """The published figures: a line for each model, dataset, robot and source."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for row in figures.published():
        if row.metric in METRICS:
            found.setdefault((row.model, row.dataset, row.robot, row.source), {})[row.metric] = row.value
    return [_of_published(Published(*key[:2], "", 0.0, key[3], key[2]), values) for key, values in found.items()]


def _of_published(row: Published, values: dict[str, float]) -> Line:
    card = card_here(row.model)
    return Line(
        model=row.model,
        page=page_of(row.model),
        dataset=row.dataset,
        robot=row.robot,
        protocol="",
        tier="published",
        starred=card is not None and row.dataset in card.training_datasets,
        metrics=values,
        parameters=None if card is None else card.n_parameters,
        source=row.source,
    )


def card_here(model: str) -> ModelCard | None:
    """The card of a model that is installed or known."""
    return _cards().get(model.partition("?")[0])


@cache
def _cards() -> dict[str, ModelCard]:
    return {entry.card.id: entry.card for entry in catalogue.entries()}
