"""`iiszoo list`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from iiszoo import cards, catalogue
from iiszoo.catalogue import Entry
from iiszoo.cli import model_table
from iiszoo.cli.output import echo, echo_wrapped, json_option, print_json, print_table, warn_of_broken_plugins
from iiszoo.engine.evaluation_protocol import PRESETS, EvaluationProtocol
from iiszoo.errors import BadOption, UnknownId, text_of
from iiszoo.registry import registry, unknown

KINDS = ("models", "datasets", "robots", "protocols")


@click.command("list")
@click.argument("words", nargs=-1, metavar="[models|datasets|robots|protocols] [PATTERN]...")
@click.option("--prompts", type=click.Choice(["clicks", "mask"]), multiple=True, help="Models that can use these.")
@click.option("--licence", metavar="TEXT", help="Models whose code and weights have a licence that contains TEXT.")
@click.option("--installed", is_flag=True, help="Models that are installed.")
@click.option(
    "--has-weights",
    is_flag=True,
    help="Models that need no download by hand: weights are here or fetched, or not needed.",
)
@click.option(
    "--sort", metavar="KEY", help="Sort models by parameters, size, encode, click, noc90:DATASET or noc85:DATASET."
)
@json_option
def command(words: tuple[str, ...], as_json: bool, **filters: Any) -> None:
    """List models, datasets, robots and evaluation protocols.

    Without arguments all of them. PATTERN selects ids: '*vit*', or a part of the id. Models of known plugins are listed
    whether or not the plugin is installed.
    """
    kinds = [kind for kind in KINDS if kind in words]
    patterns = tuple(word for word in words if word not in KINDS)
    filtered = any(filters.values())
    if filtered and kinds not in ([], ["models"]):
        raise BadOption("--prompts, --licence, --installed, --has-weights and --sort are for `iiszoo list models`")
    wanted = kinds or (["models"] if filtered else [*KINDS])
    found = {kind: _matching(_things(kind), patterns) for kind in wanted}
    if "models" in found:
        found["models"] = _selected(found["models"], **filters)
    if not any(found.values()):
        raise UnknownId(_nothing(wanted, patterns))
    if as_json:
        every = {kind: [values_of(thing) for thing in things] for kind, things in found.items()}
        print_json(every[wanted[0]] if len(wanted) == 1 else every)
    else:
        _print(found, filters["sort"])
    warn_of_broken_plugins()


def _things(kind: str) -> dict[str, Any]:
    """Entries, cards or evaluation protocols, by id."""
    if kind == "models":
        return {entry.card.id: entry for entry in catalogue.entries()}
    if kind == "protocols":
        return {**PRESETS}
    return {card.id: card for card in getattr(registry(), kind).cards()}


def _matching(things: dict[str, Any], patterns: tuple[str, ...]) -> list[Any]:
    return [thing for id, thing in things.items() if catalogue.matches(id, patterns)]


def _selected(
    found: list[Entry],
    prompts: Sequence[str],
    licence: str | None,
    installed: bool,
    has_weights: bool,
    sort: str | None,
) -> list[Entry]:
    kept = [
        entry
        for entry in found
        if set(prompts) <= set(entry.card.prompts)
        and (licence is None or catalogue.has_licence(entry.card, licence))
        and (entry.installed or not installed)
        and not (has_weights and entry.weights_state == "by hand")
    ]
    return sorted(kept, key=catalogue.sort_key(sort or "id"))


def _nothing(kinds: Sequence[str], patterns: Sequence[str]) -> str:
    """The sentence if nothing is left."""
    what = " or ".join(kind.removesuffix("s") for kind in kinds)
    if len(patterns) == 1 and not set(patterns[0]) & set("*?["):
        names = sorted({id for kind in kinds for id in _things(kind)})
        return unknown(what, patterns[0], names, f"iiszoo list{f' {kinds[0]}' if len(kinds) == 1 else ''}")
    return f"no {what} fits all of that; leave out a pattern or an option, or run `iiszoo list`"


def values_of(thing: Any) -> dict[str, Any]:
    """An entry of the catalogue, a card or an evaluation protocol as a dict of JSON values."""
    return thing.as_json() if isinstance(thing, Entry | EvaluationProtocol) else cards.as_json(thing)


def _print(found: dict[str, list[Any]], sort: str | None) -> None:
    for number, (kind, things) in enumerate((kind, things) for kind, things in found.items() if things):
        if number:
            echo("")
        if kind == "models":
            _print_models(things, model_table.figure_columns(sort))
        elif kind == "protocols":
            print_table(["evaluation protocol", ""], [[rules.name, rules.sentence()] for rules in things], prose=True)
        else:
            titles = [kind.removesuffix("s"), "samples", ""] if kind == "datasets" else ["robot", ""]
            print_table(titles, _rows(things, _card_row), prose=True)


def _print_models(entries: Sequence[Entry], figures: model_table.Figures) -> None:
    rows = _rows(entries, lambda entry: model_table.row(entry, figures))
    print_table(model_table.titles(figures), rows, prose=True, lines=2)
    for line in model_table.notes(entries, figures):
        echo_wrapped(line)


def _card_row(card: cards.DatasetCard | cards.RobotCard) -> list[str]:
    samples = [str(card.n_samples or "")] if isinstance(card, cards.DatasetCard) else []
    return [f"{card.id}{':…' if card.takes_argument else ''}", *samples, card.summary]


def _rows(things: Sequence[Any], row: Callable[[Any], list[str]]) -> list[list[str]]:
    """A row per thing; a card that was changed after it was checked, and fails now, is named on stderr instead."""
    rows = []
    for thing in things:
        card = thing.card if isinstance(thing, Entry) else thing
        try:
            cards.check_types(card)
            rows.append(row(thing))
        except Exception as error:  # noqa: BLE001  such a card may raise anything
            echo(f"{card.id} cannot be shown: {text_of(error)}", err=True)
    return rows
