"""`iiszoo show`: one thing in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from iiszoo import cards, catalogue
from iiszoo.cli.list import values_of
from iiszoo.cli.model_page import print_model
from iiszoo.cli.output import echo, json_option, print_facts, print_json
from iiszoo.engine.evaluation_protocol import PRESETS, EvaluationProtocol
from iiszoo.errors import PluginError, UnknownId
from iiszoo.known_plugins import known_plugin
from iiszoo.registry import Shelf, registry, unknown


@click.command("show")
@click.argument("id")
@json_option
def command(id: str, as_json: bool) -> None:
    """Show all that is known about a model, dataset, robot or evaluation protocol.

    If a name is both a model family and a robot, both are shown.
    """
    found = _find(id)
    if as_json:
        print_json({kind: values_of(thing) for kind, thing in found.items()})
        return
    for number, (kind, thing) in enumerate(found.items()):
        if number:
            echo("")
        if isinstance(thing, catalogue.Entry):
            print_model(thing)
        else:
            name = thing.name if isinstance(thing, EvaluationProtocol) else thing.id
            echo(f"{'evaluation protocol' if kind == 'protocol' else kind} {name}", bold=True)
            print_facts(_FACTS[kind](thing))


def _find(id: str) -> dict[str, Any]:
    """Entries, cards and evaluation protocols of that name, by kind."""
    found: dict[str, Any] = {}
    broken = None
    shelves: dict[str, Shelf[Any]] = {"dataset": registry().datasets, "robot": registry().robots}
    try:
        found["model"] = _entry(id)
    except PluginError as error:
        broken = error
    except UnknownId:
        pass
    for kind, shelf in shelves.items():
        try:
            found[kind] = shelf.resolve(id)
        except PluginError as error:
            broken = broken or error
        except UnknownId:
            pass
    if id in PRESETS:
        found["protocol"] = PRESETS[id]
    if found:
        return found
    if broken is not None:
        raise broken
    names = {*registry().models.names(), *(name for shelf in shelves.values() for name in shelf.names()), *PRESETS}
    raise UnknownId(unknown("model, dataset, robot or evaluation protocol", id, sorted(names), "iiszoo list"))


def _entry(id: str) -> catalogue.Entry:
    """The model of an id or a family's name, of a known plugin even if it is not installed. Raises as `resolve`."""
    entries = {entry.card.id: entry for entry in catalogue.entries()}
    known = known_plugin(id)
    if known is not None and (entry := entries.get(known.default if id == known.name else id)) and not entry.installed:
        return entry
    return entries[registry().models.resolve(id).id]


def _of_dataset(card: cards.DatasetCard) -> dict[str, Any]:
    name = f"{card.id}{':ARGUMENT' if card.takes_argument else ''}"
    get = f"`iiszoo data get {card.id}` downloads it, or" if card.archives else "download it by hand, and"
    by_hand = f"{get} `iiszoo data add {card.id} DIR` registers your copy"
    return {
        "": card.summary,
        "samples": card.n_samples,
        "licence": card.licence,
        "get it": "nothing to get" if card.embedded or card.takes_argument else by_hand,
        "layout": card.layout,
        "homepage": card.homepage,
        "paper": card.paper,
        "released": card.release_date,
        "fingerprint": card.fingerprint,
        "use it": f"iiszoo bench --dataset {name}",
        "cite it": card.citation,
    }


def _of_robot(card: cards.RobotCard) -> dict[str, Any]:
    return {"": card.summary, "version": card.version, "paper": card.paper, "use it": f"iiszoo bench --robot {card.id}"}


def _of_protocol(rules: EvaluationProtocol) -> dict[str, Any]:
    use = f"iiszoo bench --protocol {rules.name}"
    return {"": rules.sentence(), "seed": rules.seed, "hash": rules.hash, "use it": use}


_FACTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "dataset": _of_dataset,
    "robot": _of_robot,
    "protocol": _of_protocol,
}
