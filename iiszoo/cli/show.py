"""`iiszoo show`: one card in full."""

from __future__ import annotations

from typing import Any

import click

from iiszoo import cards
from iiszoo.cli.output import echo, json_option, print_json
from iiszoo.errors import PluginError, UnknownId
from iiszoo.registry import registry


@click.command("show")
@click.argument("id")
@json_option
def command(id: str, as_json: bool) -> None:
    """Show everything known about a model, dataset or robot.

    If a name is both a model family and a robot, both are shown.
    """
    found = _find(id)
    if as_json:
        print_json({kind: cards.as_json(card) for kind, card in found.items()})
        return
    for kind, card in found.items():
        echo(f"{kind} {card.id}", bold=True)
        for name, value in cards.as_json(card).items():
            if name != "id" and value not in (None, "", (), [], {}):
                echo(f"  {name.replace('_', ' ')}: {_plain(value)}")


def _find(id: str) -> dict[str, cards.Card]:
    found: dict[str, cards.Card] = {}
    errors: list[PluginError | UnknownId] = []
    for kind, shelf in (("model", registry().models), ("dataset", registry().datasets), ("robot", registry().robots)):
        try:
            found[kind] = shelf.resolve(id)  # type: ignore[attr-defined]
        except (PluginError, UnknownId) as error:
            errors.append(error)
    if found:
        return found
    broken = [error for error in errors if isinstance(error, PluginError)]
    raise broken[0] if broken else UnknownId("; ".join(map(str, errors)))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item not in (None, "", ()))
    if isinstance(value, list | tuple):
        return "; ".join(_plain(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
