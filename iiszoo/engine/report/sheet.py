"""The table for other programs and for papers: CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iiszoo.engine.comparison.data import data_of
from iiszoo.engine.comparison.pairs import noc_intervals
from iiszoo.engine.metrics.bootstrap import Interval
from iiszoo.engine.report import table
from iiszoo.engine.report.columns import Column, column
from iiszoo.engine.runs.summary import Result
from iiszoo.figures import Published


@dataclass(frozen=True)
class _Cell:
    """A figure of one run. `best`: no run on the same data has a better one, as far as its digits show."""

    name: str
    column: Column
    value: float | None
    interval: Interval | None
    published: Published | None
    best: bool

    @property
    def text(self) -> str:
        return "–" if self.value is None else self.column.form(self.value)


@dataclass(frozen=True)
class _Row:
    """One run; `key` is its model's citation key, "" if its card has no citation."""

    label: str
    key: str
    dataset: str
    summary: dict[str, Any]
    cells: list[_Cell]


def sheet(form: str, results: Sequence[Result], names: Sequence[str] | None = None) -> str:
    """The table as "csv", "markdown" or "latex". `names`: the metrics, by default those of `table.metrics_for`.

    In Markdown and LaTeX the best figure on each dataset is bold, NoC has its 95 % interval in brackets, and a model is
    followed by its citation key (`bibliography` has the entries). CSV has plain numbers: IoU in [0, 1], intervals and
    published figures in columns of their own.
    """
    summaries = [summary for summary, _ in results]
    names = table.metrics_for(summaries) if names is None else names
    notes = table.notes(summaries, names)
    return {"csv": _csv, "markdown": _markdown, "latex": _latex}[form](_rows(results, names), names, notes)


def bibliography(summaries: Sequence[dict[str, Any]]) -> tuple[str, list[str]]:
    """The BibTeX entries of the models' papers, each once, and the models whose cards have none."""
    entries: dict[str, str] = {}
    without = []
    for summary in summaries:
        card = table.card_of(summary["model"])
        if card is not None and card.citation:
            entries.setdefault(_citation_key(card.citation), card.citation.strip())
        elif summary["model"] not in without:
            without.append(summary["model"])
    return "\n\n".join(entries.values()), without


def _citation_key(citation: str) -> str:
    found = re.search(r"@\w+\s*\{\s*([^,\s]+)\s*,", citation)
    return found[1] if found else ""


def _rows(results: Sequence[Result], names: Sequence[str]) -> list[_Row]:
    summaries = [summary for summary, _ in results]
    intervals = [noc_intervals(result) for result in results]
    labelled = zip(table.labels(summaries), table.dataset_names(summaries), summaries, intervals, strict=True)
    best = {name: _best(name, summaries) for name in names}
    return [
        _Row(
            label,
            _key(summary),
            place,
            summary,
            [_cell(name, summary, known.get(name), best[name]) for name in names],
        )
        for label, place, summary, known in labelled
    ]


def _key(summary: dict[str, Any]) -> str:
    card = table.card_of(summary["model"])
    return "" if card is None or not card.citation else _citation_key(card.citation)


def _best(name: str, summaries: Sequence[dict[str, Any]]) -> dict[Any, str]:
    """The best figure, as it is shown, by data; none where only one run has one."""
    wanted = column(name)
    values: dict[Any, list[float]] = {}
    for summary in summaries:
        if wanted.better and (value := wanted.value(summary)) is not None:
            values.setdefault(data_of(summary), []).append(value)
    choose = min if wanted.better == "lower" else max
    return {data: wanted.form(choose(found)) for data, found in values.items() if len(found) > 1}


def _cell(name: str, summary: dict[str, Any], interval: Interval | None, best: dict[Any, str]) -> _Cell:
    wanted = column(name)
    value = wanted.value(summary)
    published = table.published_beside(summary, name) if wanted.published else None
    is_best = value is not None and best.get(data_of(summary)) == wanted.form(value)
    return _Cell(name, wanted, value, interval, published, is_best)


def _csv(rows: Sequence[_Row], names: Sequence[str], notes: Sequence[str]) -> str:
    bounded = [name for i, name in enumerate(names) if any(row.cells[i].interval for row in rows)]
    known = [name for i, name in enumerate(names) if any(row.cells[i].published for row in rows)]
    head = ["model", "citation", "dataset", "n_done", "n_samples"]
    for name in names:
        head += [name, *(f"{name}_{end}" for end in ("low", "high") if name in bounded)]
        head += [f"{name}_published"] if name in known else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        values: list[Any] = [row.label, row.key, row.dataset, row.summary["n_done"], row.summary["n_samples"]]
        for cell in row.cells:
            values.append(cell.value)
            if cell.name in bounded:
                values += [cell.interval.low, cell.interval.high] if cell.interval else ["", ""]
            if cell.name in known:
                values.append(cell.published.value if cell.published else "")
        writer.writerow(values)
    return text.getvalue().rstrip("\n")


def _markdown(rows: Sequence[_Row], names: Sequence[str], notes: Sequence[str]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    head = table.columns(names)
    lines = [line([_in_markdown(title) for title in head]), line(["---", "---", *["---:"] * (len(head) - 2)])]
    for row in rows:
        cite = f" [@{row.key}]" if row.key else ""
        figures = [_figure(cell, lambda text: f"**{text}**", str) for cell in row.cells]
        named = [_in_markdown(row.label) + cite, _in_markdown(row.dataset), table.number_done(row.summary)]
        lines.append(line([*named, *figures]))
    return "\n".join([*lines, "", *(f"- {_in_markdown(note)}" for note in notes)])


def _latex(rows: Sequence[_Row], names: Sequence[str], notes: Sequence[str]) -> str:
    head = table.columns(names)
    lines = [
        *(f"% {note}" for note in notes),
        rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
        r"\hline",
        rf"{' & '.join(map(_in_latex, head))} \\",
        r"\hline",
    ]
    for row in rows:
        cite = rf"~\cite{{{row.key}}}" if row.key else ""
        figures = [_figure(cell, lambda text: rf"\textbf{{{text}}}", _in_latex) for cell in row.cells]
        named = [_in_latex(row.label) + cite, _in_latex(row.dataset), table.number_done(row.summary)]
        lines.append(rf"{' & '.join([*named, *figures])} \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"])


def _figure(cell: _Cell, bold: Callable[[str], str], plain: Callable[[str], str]) -> str:
    text = bold(plain(cell.text)) if cell.best else plain(cell.text)
    limits = cell.interval
    return text if limits is None else f"{text} [{cell.column.form(limits.low)}, {cell.column.form(limits.high)}]"


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}


def _in_latex(text: str) -> str:
    return re.sub(r"[\\~^–&%$#_{}]", lambda found: _LATEX.get(found[0], f"\\{found[0]}"), " ".join(text.split()))
