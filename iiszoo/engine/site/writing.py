"""Writing the pages of a results repository, and JSON beside each."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

import iiszoo
from iiszoo import files, units
from iiszoo.engine.comparison.data import Data, data_of
from iiszoo.engine.report import charts
from iiszoo.engine.report.albums import open_album
from iiszoo.engine.report.columns import column
from iiszoo.engine.report.pictures import Album
from iiszoo.engine.report.templates import template
from iiszoo.engine.results.replays import TIERS
from iiszoo.engine.site import lines as all_lines
from iiszoo.engine.site.gathering import Entry, gather
from iiszoo.engine.site.lines import METRICS, Line
from iiszoo.engine.site.model_view import ModelView, view
from iiszoo.errors import IISZooError, RunError
from iiszoo.file_names import printable
from iiszoo.names import parse_name
from iiszoo.registry import resolve_dataset

_SCRIPT = "leaderboard.js"


@dataclass(frozen=True)
class Site:
    """What was written. `left_out`: a sentence for each fault of the repository; `no_pictures`: one for each dataset
    that was to be shown and could not.
    """

    n_runs: int
    n_models: int
    left_out: list[str]
    no_pictures: list[str]


def write(repo: Path, out: Path, shown: Sequence[str], root: Path | None, title: str) -> Site:
    """Write `index.html`, `models/NAME.html` and JSON beside each to `out`; other files there stay.

    `shown`: the datasets whose images may be published, as `load_dataset` names them, without options; their samples
    are read in `root`, or where the runs had them. `demo`, which may, is always shown. Raises `RunError` if the
    repository has no run to show or `out` cannot be written, `UnknownId` for an unknown dataset.
    """
    for dataset in shown:
        resolve_dataset(dataset)
    entries, left_out = gather(repo)
    lines = [*all_lines.of_runs(entries), *all_lines.of_published()]
    lines.sort(key=lambda line: (line.dataset, line.metrics.get(METRICS[0], math.inf), line.model))
    albums = _Albums(shown, root)
    common = {"site": title, "version": iiszoo.__version__, "date": _today(), "tiers": TIERS}
    views = [
        _view(id, [line for line in lines if line.model.partition("?")[0] == id], entries, albums)
        for id in sorted({line.model.partition("?")[0] for line in lines})
    ]
    for one in views:
        page = template("site/model.html.jinja").render(
            model=one, metrics=_metrics(one.lines), column=column, chart=charts, **common
        )
        _write(out / "models" / f"{one.page}.html", page)
        _write(out / "models" / f"{one.page}.json", _json(_model_values(one)))
    _write(out / "index.html", _index(lines, views, common))
    _write(out / "index.json", _json({"title": title, "tiers": TIERS, "lines": lines}))
    n_models = len({entry.model for entry in entries})
    return Site(len(entries), n_models, left_out, albums.faults)


class _Albums:
    """The album of all data whose images may be shown; each is opened once."""

    def __init__(self, shown: Sequence[str], root: Path | None) -> None:
        self._shown, self._root = ("demo", *shown), root
        self._opened: dict[Data, Album | None] = {}
        self.faults: list[str] = []

    def __call__(self, summary: dict[str, Any]) -> Album | None:
        if str(replace(parse_name(summary["dataset"]), options={})) not in self._shown:
            return None
        data = data_of(summary)
        if data not in self._opened:
            self._opened[data] = self._open(summary)
        return self._opened[data]

    def _open(self, summary: dict[str, Any]) -> Album | None:
        try:
            return open_album(summary, self._root)
        except IISZooError as error:
            self.faults.append(str(error))
            return None


def _view(id: str, lines: Sequence[Line], entries: Sequence[Entry], albums: _Albums) -> ModelView:
    own = [entry for entry in entries if entry.model.partition("?")[0] == id]
    card = own[0].card if own else all_lines.card_here(id)
    return view(id, card, lines, own, albums)


def _index(lines: Sequence[Line], views: Sequence[ModelView], common: dict[str, Any]) -> str:
    script = (Path(__file__).parent / _SCRIPT).read_text("utf-8")
    metrics = _metrics(lines)
    runs = [line for line in lines if line.run]
    stated = {
        "lines": [dataclasses.asdict(line) for line in lines],
        "metrics": [{"name": name, "title": column(name).title, "better": column(name).better} for name in metrics],
        "dataset": _by_runs(runs, "dataset")[0],
        "robot": _by_runs(runs, "robot")[0],
    }
    return template("site/index.html.jinja").render(
        lines=lines,
        count=units.count,
        metrics=metrics,
        column=column,
        datasets=_by_runs(lines, "dataset"),
        robots=_by_runs(lines, "robot"),
        protocols=[protocol for protocol in _by_runs(lines, "protocol") if protocol],
        data=_embedded(stated),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        n_models=len(views),
        n_runs=len(runs),
        n_replayed=sum(line.tier == "replayed" for line in runs),
        **common,
    )


def _by_runs(lines: Sequence[Line], field: str) -> list[str]:
    """The values of a field, those with most runs first; of robots with as many, the standard's."""
    runs = Counter(getattr(line, field) for line in lines if line.run)
    return sorted({getattr(line, field) for line in lines}, key=lambda value: (-runs[value], value != "ritm", value))


def _metrics(lines: Sequence[Line]) -> list[str]:
    return [name for name in METRICS if any(name in line.metrics for line in lines)]


def _model_values(one: ModelView) -> dict[str, Any]:
    return {
        "model": one.id,
        "card": None if one.card is None else dataclasses.asdict(one.card),
        "lines": one.lines,
        "runs": one.runs,
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=dataclasses.asdict) + "\n"


def _embedded(value: Any) -> Markup:
    """JSON inside a page: nothing in it ends its element."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))


def _today() -> str:
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_text(path, printable(text).encode("utf-8", "backslashreplace").decode())
    except OSError as error:
        raise RunError(f"page {path} cannot be written: {error.strerror or error}; give another --out") from error
