"""The report: one self-contained HTML page that opens without a network."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import iiszoo
from iiszoo import files
from iiszoo.engine.campaign.results import Campaign
from iiszoo.engine.comparison import data
from iiszoo.engine.comparison.rankings import FEW, Ranking, rankings
from iiszoo.engine.comparison.repeats import repeats
from iiszoo.engine.metrics import NOC_TARGETS
from iiszoo.engine.report import campaign_view, charts, table
from iiszoo.engine.report import repeats as repeats_table
from iiszoo.engine.report.albums import open_album, place_of_pictures
from iiszoo.engine.report.charts import Curves, Histogram, Series
from iiszoo.engine.report.columns import initial_iou
from iiszoo.engine.report.pictures import Album, Sample, caption, marks, worst
from iiszoo.engine.report.side_by_side import SideBySide, pictured, side_by_side
from iiszoo.engine.report.templates import template
from iiszoo.engine.runs.summary import Result
from iiszoo.errors import IISZooError, RunError
from iiszoo.figures import Published
from iiszoo.file_names import printable

N_WORST = 10


@dataclass(frozen=True)
class Figure:
    """A run's figures at one IoU: NoC and its spread, NoF, samples that never reached it; None: unknown."""

    goal: int
    noc: float | None
    spread: float | None
    nof: int | None
    never: int | None
    published: Published | None


@dataclass(frozen=True)
class Lead:
    """What stands above the table of the runs: a title for the page, an answer, a table, and notes below it.

    The first `n_names` columns are names, the last one is prose, those between are figures. `marked` are the numbers
    of rows that stand out, `alarms` sentences on what went wrong.
    """

    title: str
    answer: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_names: int
    marked: Collection[int] = ()
    notes: Sequence[str] = ()
    alarms: Sequence[str] = ()


@dataclass(frozen=True)
class RunView:
    """One run on the page. `no_pictures` says why `samples` have none."""

    anchor: str
    series: Series
    samples: list[Sample]
    no_pictures: str | None
    figures: list[Figure]
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class DatasetView:
    """All runs on the same data. `ranking` is None with one run; `differing` are the samples in which the runs differ
    most, and `differing_unseen` says why they have no pictures.
    """

    name: str
    curves: Curves
    histogram: Histogram
    runs: list[RunView]
    ranking: Ranking | None
    repeats: list[tuple[list[str], list[list[str]]]]
    differing: list[SideBySide]
    differing_unseen: str | None


def render(
    results: Sequence[Result],
    root: Path | None = None,
    campaigns: Sequence[Campaign] = (),
    sentences: Sequence[str] = (),
    lead: Lead | None = None,
) -> str:
    """The page of `results`: (summary, traces) of each run, as `engine.runs.summary.read` returns them, and of
    campaigns; `lead` stands above both.

    `root` contains the datasets, for the pictures of the worst samples; if a dataset cannot be read, the page says why
    and is otherwise complete.
    """
    series = _series(results)
    anchors = {id(one): f"run-{i}" for i, one in enumerate(series, 1)}
    albums = _Albums(root)
    ranked = {ranking.dataset: ranking for ranking in rankings(results)}
    datasets = []
    for key, name in data.names([one.summary for one in series]).items():
        there = [one for one in series if data.data_of(one.summary) == key]
        runs = [_run_view(one, albums, anchors[id(one)]) for one in there]
        differing, unseen = _differing(there, albums)
        repeated = repeats_table.tables(repeats([(one.summary, list(one.traces)) for one in there]))
        charted = (charts.curves(there), charts.histogram(there))
        datasets.append(DatasetView(name, *charted, runs, ranked.get(name), repeated, differing, unseen))
    summaries = [one.summary for one in series]
    names = table.metrics_for(summaries)
    page = template("report/page.html.jinja").render(
        version=iiszoo.__version__,
        title=lead.title if lead else "benchmark report" if series else "annotation campaigns",
        lead=lead,
        date=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        n_models=len({one.summary["model"] for one in series}),
        columns=table.columns(names),
        rows=list(zip([anchors[id(one)] for one in series], table.rows(summaries, names), strict=True)),
        notes=[*table.notes(summaries, names), *sentences],
        datasets=datasets,
        labels=[one.label for one in series],
        few=FEW,
        repeats_meaning=repeats_table.MEANINGS,
        campaigns=[campaign_view.view(each, root) for each in campaigns],
        chart=charts,
    )
    return printable(page)


def write(path: Path, html: str) -> None:
    """Write the page in one step: a reader sees the old one or the new one. Missing directories are created.

    Raises `RunError` if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_text(path, html.encode("utf-8", "backslashreplace").decode())
    except OSError as error:
        raise RunError(f"page {path} cannot be written: {error.strerror or error}; give another --html") from error


def _series(results: Sequence[Result]) -> list[Series]:
    """Every run with its label, and one style per label."""
    labels = table.labels([summary for summary, _ in results])
    styles = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return [
        Series(label, styles[label], summary, traces) for label, (summary, traces) in zip(labels, results, strict=True)
    ]


class _Albums:
    """The album of each run's data, or why there is none; each is opened once."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._opened: dict[tuple[data.Data, tuple[str, Path | None]], Album | IISZooError] = {}

    def of(self, summary: dict[str, Any]) -> Album:
        """The album of a run's data. Raises an `IISZooError` if there is none."""
        # in two directories, a relative name means different data
        key = data.data_of(summary), place_of_pictures(summary, self._root)
        if key not in self._opened:
            try:
                self._opened[key] = open_album(summary, self._root)
            except IISZooError as error:
                self._opened[key] = error
        found = self._opened[key]
        if isinstance(found, IISZooError):
            raise found
        return found


def _differing(series: Sequence[Series], albums: _Albums) -> tuple[list[SideBySide], str | None]:
    found = side_by_side(series)
    if not found:
        return [], None
    try:
        album = albums.of(series[0].summary)
        return [pictured(one, album) for one in found], None
    except (IISZooError, OSError) as error:
        return found, str(error)


def _run_view(one: Series, albums: _Albums, anchor: str) -> RunView:
    limits = (one.target_iou, one.max_clicks)
    samples = [Sample(trace, caption(trace, *limits), marks(trace)) for trace in worst(one.traces, *limits, N_WORST)]
    no_pictures = None
    try:
        album = albums.of(one.summary)
        pictures = [album.pictures([sample.trace])[0] for sample in samples]
        samples = [
            replace(sample, picture=whole, crop=crop) for sample, (whole, crop) in zip(samples, pictures, strict=True)
        ]
    except (IISZooError, OSError) as error:
        no_pictures = str(error)
    return RunView(anchor, one, samples, no_pictures, _figures(one.summary), provenance(one.summary))


def _figures(summary: dict[str, Any]) -> list[Figure]:
    metrics = summary["metrics"]
    return [
        Figure(
            goal,
            metrics[f"noc{goal}"],
            metrics[f"noc{goal}_std"],
            metrics[f"nof{goal}"],
            metrics[f"nof{goal}_strict"],
            table.published_beside(summary, f"noc{goal}"),
        )
        for goal in (round(100 * target) for target in NOC_TARGETS)
    ]


def provenance(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The run's provenance as (name, value), without what is unknown."""
    known = summary.get("provenance", {})
    model, environment = known.get("model", {}), known.get("environment", {})
    rules, times, start = summary["protocol"], summary["times"], initial_iou(summary)
    facts = {
        "Model": _joined({"": summary["model"], "code": model.get("code"), "options": model.get("options")}),
        "Weights": ", ".join(model.get("weights", [])) or None,
        "Evaluation protocol": _joined(
            {"": rules["name"], "hash": rules["hash"], **{k: v for k, v in rules.items() if k != "name"}}
        ),
        "Dataset": _joined({"": summary["dataset"], "samples": summary["n_samples"]}),
        "Fingerprint": known.get("dataset", {}).get("fingerprint"),
        "Initial masks": None if start is None else f"mean IoU {100 * start:.1f} %",
        "Their fingerprint": known.get("initial", {}).get("fingerprint"),
        "Left out": "; ".join(summary["skipped"].values()) or None,
        "Device": environment.get("device"),
        "Machine": _joined(environment.get("machine", {})),
        "Libraries": _joined(environment.get("libraries", {})),
        "Plugins": ", ".join(sorted(set(environment.get("plugins", {}).values()))),
        "Command": shlex.join(environment.get("argv", [])),
        "Run": ", ".join(f"{began} to {ended}" for began, ended in times.get("invocations", [])),
        "Model time": _milliseconds(times, "model", "per click"),
        "Robot time": _milliseconds(times, "robot", "per click, scoring included"),
        "Encoding": _milliseconds(times, "init", "per image, divided by its samples"),
        "SPC": None if times["spc_seconds"] is None else f"{times['spc_seconds']:.3g} s per click, everything included",
        "Directory": summary.get("directory"),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _joined(values: dict[str, Any]) -> str:
    """`name value, name value`, without empty values."""
    shown = {name: value for name, value in values.items() if value is not None and value not in ({}, [])}
    return ", ".join(f"{name.replace('_', ' ')} {value}".strip() for name, value in shown.items())


def _milliseconds(times: dict[str, Any], what: str, per: str) -> str | None:
    median, p95 = times[f"{what}_ms_median"], times.get(f"{what}_ms_p95")
    if median is None:
        return None
    return f"{median:.3g} ms {per} (median{'' if p95 is None else f'; 95th percentile {p95:.3g} ms'})"
