"""`iiszoo list`: what is installed."""

from __future__ import annotations

import click

from iiszoo import cards
from iiszoo.cli.output import json_option, megabytes, print_json, print_table, warn_of_broken_plugins
from iiszoo.registry import registry


@click.command("list")
@click.argument("kind", type=click.Choice(["models", "datasets", "robots"]), required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List models, datasets and robots; all three without KIND."""
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
    rows = [
        [
            f"{card.id}{' *' if shelf.is_default(card) else ''}",
            " + ".join(megabytes(file.size) for file in card.weights) or "none",
            shelf.plugin(card).name,
            card.summary,
        ]
        for card in shelf.cards()
    ]
    print_table(["model (* default of its family)", "weights", "plugin", ""], rows, prose=True)


def _datasets() -> None:
    rows = [
        [f"{card.id}{':…' if card.takes_argument else ''}", str(card.n_samples or ""), card.summary]
        for card in registry().datasets.cards()
    ]
    print_table(["dataset", "samples", ""], rows, prose=True)


def _robots() -> None:
    rows = [[f"{card.id}{':…' if card.takes_argument else ''}", card.summary] for card in registry().robots.cards()]
    print_table(["robot", ""], rows, prose=True)
