"""`iiszoo list`: what is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from iiszoo import cards
from iiszoo.cli.output import echo, json_option, megabytes, print_json, print_table, warn_of_broken_plugins
from iiszoo.errors import text_of
from iiszoo.registry import CardType, registry


@click.command("list")
@click.argument("kind", type=click.Choice(["models", "datasets", "robots"]), required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List models, datasets or robots; all three without KIND."""
    kinds = [kind] if kind else ["models", "datasets", "robots"]
    if as_json:
        every = {name: [cards.as_json(card) for card in getattr(registry(), name).cards()] for name in kinds}
        print_json(every[kind] if kind else every)
    else:
        for name in kinds:
            {"models": _models, "datasets": _datasets, "robots": _robots}[name]()
    warn_of_broken_plugins()


def _models() -> None:
    shelf = registry().models

    def row(card: cards.ModelCard) -> list[str]:
        return [
            f"{card.id}{' *' if shelf.is_default(card) else ''}",
            " + ".join(megabytes(file.size) for file in card.weights) or "none",
            shelf.plugin(card).name,
            card.summary,
        ]

    _print(["model (* default of its family)", "weights", "plugin", ""], shelf.cards(), row)


def _datasets() -> None:
    def row(card: cards.DatasetCard) -> list[str]:
        return [f"{card.id}{':…' if card.takes_argument else ''}", str(card.n_samples or ""), card.summary]

    _print(["dataset", "samples", ""], registry().datasets.cards(), row)


def _robots() -> None:
    def row(card: cards.RobotCard) -> list[str]:
        return [f"{card.id}{':…' if card.takes_argument else ''}", card.summary]

    _print(["robot", ""], registry().robots.cards(), row)


def _print(columns: list[str], shelf: Sequence[CardType], row: Callable[[CardType], list[str]]) -> None:
    """A row per card; a card that was changed after it was checked, and fails now, is named on stderr instead."""
    rows = []
    for card in shelf:
        try:
            cards.check_types(card)
            rows.append(row(card))
        except Exception as error:  # noqa: BLE001  such a card may raise anything
            echo(f"{card.id} cannot be shown: {text_of(error)}", err=True)
    print_table(columns, rows, prose=True)
