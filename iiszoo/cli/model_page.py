"""What `iiszoo show MODEL` prints: the model, its weights, figures and options, and how to cite it."""

from __future__ import annotations

import shlex
from typing import Any

from iiszoo import assets, units
from iiszoo.cards import Weights
from iiszoo.catalogue import Entry, facts
from iiszoo.cli.output import echo, print_facts, print_table
from iiszoo.figures import Published, published_of
from iiszoo.models.merge_rule import MERGE, RULES


def print_model(entry: Entry) -> None:
    """Print the page on stdout."""
    card = entry.card
    echo(f"model {card.id}", bold=True)
    print_facts({"": card.summary, **_facts(entry)})
    _print_weights(entry)
    _print_figures(entry)
    _print_options(entry)
    heading("use it")
    if not entry.installed and entry.known is not None:
        echo(f"  {entry.known.install}")
    echo(f"  iiszoo segment PHOTO.jpg --at ROW,COL --model {card.id}")
    echo(f"  iiszoo bench --model {card.id} --dataset demo")
    heading("cite it")
    print_facts({"": card.paper or "no paper is stated"})
    if card.citation:
        echo("\n".join(f"  {line}" for line in card.citation.splitlines()))


def heading(text: str) -> None:
    """Print the title of a section."""
    echo("")
    echo(text, bold=True)


def _facts(entry: Entry) -> dict[str, Any]:
    card = entry.card
    return {
        "plugin": f"{entry.plugin}{'' if entry.installed else ', not installed'}",
        "default": f"`--model {card.family}` means this model" if entry.is_default else "",
        **facts(card),
    }


def _print_weights(entry: Entry) -> None:
    heading("weights")
    if not entry.card.weights:
        echo("  none needed")
    for file in entry.card.weights:
        print_facts(
            {"": ", ".join(filter(None, [file.filename, units.size(file.shown_size)])), "get them": _way(entry, file)}
        )


def _way(entry: Entry, file: Weights) -> str:
    """Where a weights file is, or how to get it."""
    card = entry.card
    which = f" --as {file.filename}" if len(card.weights) > 1 else ""
    found = assets.status(card, file)
    if file.ships:
        return "part of the package"
    if found.state == "present":
        return f"here: {found.path}"
    account = "their host asks for an account; " if card.gated else ""
    if file.urls:
        return f"{account}the first use fetches them, or `iiszoo weights get {card.id}`"
    source = (
        f"download them from {file.page}" if file.page else "no address is known: get the file from whoever trained it"
    )
    return f"{account}{source}, then `iiszoo weights add {card.id} FILE{which}`"


def _print_figures(entry: Entry) -> None:
    rows = []
    published = published_of(entry.card.id)
    for row in published:
        nocs = {one.metric: one.value for one in published if _same_table(one, row)}
        line = [row.dataset, *(_two_digits(nocs.get(name)) for name in NOCS)]
        other = "" if row.robot == "ritm" else f", robot {row.robot}"
        line.append(f"published: {row.source}{_options(row.model)}{other}")
        if line not in rows:
            rows.append(line)
    for run in entry.all_measured():
        times = f"{units.time(run.click_ms / 1e3)} per click on {run.device}, {units.number_of(run.threads, 'thread')}"
        figures = (_two_digits(getattr(run, name)) for name in NOCS)
        rows.append([run.dataset, *figures, f"measured with iiszoo{_options(run.model)}: {times}"])
    if rows:
        heading("mean number of clicks, 20 at most")
        print_table(["dataset", *(f"NoC@{name[3:]}" for name in NOCS), ""], rows, prose=True)


NOCS = ("noc85", "noc90")


def _same_table(one: Published, other: Published) -> bool:
    return (one.model, one.dataset, one.robot, one.source) == (other.model, other.dataset, other.robot, other.source)


def _options(model: str) -> str:
    options = model.partition("?")[2]
    return f" with {options}" if options else ""


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _print_options(entry: Entry) -> None:
    heading(f"options: --model {shlex.quote(f'{entry.card.id}?NAME=VALUE&NAME=VALUE')}")
    rows = [[option.name, _shown(option.default), option.meaning] for option in entry.card.options]
    if MERGE not in (option.name for option in entry.card.options):
        meaning = f"{' or '.join(RULES)}: in a session that starts from a mask, keep what no click touches"
        rows.append([MERGE, "none", meaning])
    print_table(["option", "default", ""], rows, prose=True)


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else "" if default is None else str(default)
