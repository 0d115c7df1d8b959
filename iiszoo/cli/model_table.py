"""The table of `iiszoo list models`: what each model costs, and how many clicks it needs."""

from __future__ import annotations

from collections.abc import Sequence

from iiszoo import units
from iiszoo.catalogue import Entry

Figures = Sequence[tuple[str, str]]
"""(metric, dataset) of the columns of figures."""
FIGURES: Figures = (("noc90", "grabcut"), ("noc90", "berkeley"))


def figure_columns(sort: str | None) -> Figures:
    """`FIGURES`; with the figure that the table is sorted by, if that is another, in place of the first."""
    metric, _, dataset = (sort or "").partition(":")
    return [(metric, dataset), FIGURES[-1]] if dataset and (metric, dataset) not in FIGURES else FIGURES


def titles(figures: Figures) -> list[str]:
    """The titles of `row`'s cells."""
    return ["model", "params", "weights", *(dataset for _, dataset in figures), "encode", "click", ""]


def row(entry: Entry, figures: Figures) -> list[str]:
    """A model's cells; the last is its summary."""
    run = entry.timed
    by_hand = "+" if entry.weights_state == "by hand" else ""
    return [
        f"{entry.card.id}{'*' if entry.is_default else ''}",
        units.count(entry.card.n_parameters),
        "none" if entry.weights_state == "none" else f"{units.size(entry.size)}{by_hand}",
        *(_noc(*entry.noc(metric, dataset)) for metric, dataset in figures),
        "" if run is None or run.init_ms < LEAST_ENCODING else units.time(run.init_ms / 1e3),
        "" if run is None else units.time(run.click_ms / 1e3),
        entry.card.summary,
    ]


LEAST_ENCODING = 1.0
"""Milliseconds. A model that needs less to prepare an image has no encoder."""


def notes(entries: Sequence[Entry], figures: Figures) -> list[str]:
    """The lines below the table: what its signs mean, as far as it has them."""
    columns = ", ".join(f"{dataset} NoC@{metric[3:]}" for metric, dataset in figures)
    signs = [f"{columns}: mean clicks of robot ritm, 20 at most"]
    if any(published is not None for entry in entries for _, published in (entry.noc(*figure) for figure in figures)):
        signs.append("in brackets as published")
    timed = {(run.device, run.threads) for entry in entries if (run := entry.timed)}
    if timed:
        where = " or ".join(f"{device}, {units.number_of(threads, 'thread')}" for device, threads in sorted(timed))
        signs.append(f"encode (an image), click: medians on {where}")
    if any(entry.is_default for entry in entries):
        signs.append("* default of its family")
    if any(entry.weights_state == "by hand" for entry in entries):
        signs.append("+ download by hand: `iiszoo show MODEL` says where")
    absent = dict.fromkeys(entry.known for entry in entries if not entry.installed and entry.known)
    lines = ["; ".join(signs)]
    if absent:
        families = ", ".join(plugin.name for plugin in absent)
        lines.append(f"not installed: {families}; {' and '.join(plugin.install for plugin in absent)}")
    return lines


def _noc(measured: float | None, published: float | None) -> str:
    texts = [] if measured is None else [f"{measured:.2f}"]
    return " ".join(texts if published is None else [*texts, f"({published:.2f})"])
