"""`iiszoo weights`: the trained weights that models need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo import units
from iiszoo.cli.groups import Group
from iiszoo.cli.output import echo, json_option, print_json, print_table
from iiszoo.errors import WeightsError

if TYPE_CHECKING:
    from iiszoo.assets import Status
    from iiszoo.cards import ModelCard, Weights


@click.group("weights", cls=Group)
def command() -> None:
    """Weights files: list, get, verify, path, add, remove.

    They are in the cache: IISZOO_CACHE, else the user's cache directory. With IISZOO_OFFLINE=1 no connection is made.
    """


@command.command("list")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@json_option
def list_(ids: tuple[str, ...], as_json: bool) -> None:
    """List weights files: size, source of the hash, state."""
    from iiszoo import assets

    found = [assets.status(card, file) for card, file in _files(ids)]
    if as_json:
        print_json(found)
    elif found:
        _print_list(found)
    else:
        echo("none of these models has weights" if ids else "no installed model has weights", err=True)


@command.command("get")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def get(ids: tuple[str, ...], as_json: bool) -> None:
    """Fetch and verify models' weights if they are missing, and print their paths."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from iiszoo import assets

    rates = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), *rates, console=Console(stderr=True)
    ) as bars:

        def fetch(card: ModelCard, file: Weights) -> Status:
            bar = bars.add_task(file.filename, total=file.size, visible=False)
            assets.fetch(
                card, file, progress=lambda done, total: bars.update(bar, completed=done, total=total, visible=True)
            )
            return assets.status(card, file)

        found, errors = _each(_files(ids), fetch)
    _report(found, errors, as_json, lambda status: str(status.path))


@command.command("verify")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@json_option
def verify(ids: tuple[str, ...], as_json: bool) -> None:
    """Hash weights files again: those of the named models, or all that are present."""
    from iiszoo import assets

    files = _files(ids)
    if not ids:
        files = [(card, file) for card, file in files if assets.status(card, file).state == "present"]
    found, errors = _each(files, assets.verify)
    _report(found, errors, as_json, lambda status: f"{status.path}: {_verdict(status)}")


@command.command("path")
@click.argument("id")
@json_option
def path(id: str, as_json: bool) -> None:
    """Print the paths of a model's weights; it is an error if one is missing."""
    from iiszoo import assets
    from iiszoo.registry import registry

    card = registry().models.resolve(id)
    if not card.weights:
        raise WeightsError(f"model {card.id} needs no weights: there is no path to print")
    found = [assets.status(card, file) for file in card.weights]
    missing = [status for status in found if status.state != "present"]
    errors = [f"weights file {status.filename} of {status.model} is missing: no {status.path}" for status in missing]
    if errors:
        errors[-1] += f"; run `iiszoo weights get {missing[-1].model}` to fetch what is missing"
    _report(found if as_json else [status for status in found if status not in missing], errors, as_json, _path)


@command.command("add")
@click.argument("id")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "filename", metavar="NAME", help="Which of the model's files it is, if there are several.")
@json_option
def add(id: str, file: Path, filename: str | None, as_json: bool) -> None:
    """Copy your own FILE into the cache as a model's weights; it is refused if it is not the card's file."""
    from iiszoo import assets
    from iiszoo.registry import registry

    card = registry().models.resolve(id)
    there = assets.add(card, file, filename)
    _report([assets.status(card, there.name)], [], as_json, _path)


@command.command("remove")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--as", "filename", metavar="NAME", help="Which of a model's files, if there are several.  [default: all]"
)
@json_option
def remove(ids: tuple[str, ...], filename: str | None, as_json: bool) -> None:
    """Delete models' weights from the cache, and forget their pinned hashes."""
    from iiszoo import assets

    files = _files(ids)
    if filename is not None:
        files = [(card, assets.weights_of(card, filename)) for card in dict.fromkeys(card for card, _ in files)]
    removed = []

    def delete(card: ModelCard, file: Weights) -> Status:
        if assets.remove(card, file):
            removed.append(assets.path(card, file))
        else:
            echo(f"{file.filename} of {card.id} is not in the cache", err=True)
        return assets.status(card, file)

    found, errors = _each(files, delete)
    found = found if as_json else [status for status in found if status.path in removed]
    _report(found, errors, as_json, lambda status: f"removed {status.path}")


def _files(ids: Iterable[str]) -> list[tuple[ModelCard, Weights]]:
    """The weights files of the named models, or of all; a named model without any is reported on stderr."""
    from iiszoo.registry import registry

    models = registry().models
    named = [models.resolve(id) for id in ids]
    for card in named:
        if not card.weights:
            echo(f"{card.id} needs no weights", err=True)
    return [(card, file) for card in dict.fromkeys(named or models.cards()) for file in card.weights]


def _each(
    files: Iterable[tuple[ModelCard, Weights]], action: Callable[[ModelCard, Weights], Status]
) -> tuple[list[Status], list[str]]:
    """`action` on every file, also after one has failed; returns the results and the errors."""
    found, errors = [], []
    for card, file in files:
        try:
            found.append(action(card, file))
        except WeightsError as error:
            errors.append(str(error))
    return found, errors


def _report(found: list[Status], errors: list[str], as_json: bool, line: Callable[[Status], str]) -> None:
    if as_json:
        print_json(found)
    else:
        for status in found:
            echo(line(status))
    if errors:
        raise WeightsError("\n".join(errors))


def _print_list(found: list[Status]) -> None:
    from iiszoo import assets

    echo(f"in {assets.cache_root() / 'weights'}:")
    rows = [
        [status.model, f"{status.path.parent.name}/{status.path.name}", _size(status), _hash(status), _state(status)]
        for status in found
    ]
    print_table(["model", "file", "size", "hash", "state"], rows)


def _path(status: Status) -> str:
    return str(status.path)


def _size(status: Status) -> str:
    known = status.size if status.size is not None else status.present_bytes if status.state == "present" else None
    return units.size(known) or "unknown"


def _hash(status: Status) -> str:
    origin = {"card": "known", "pin": "pinned", "file": "unconfirmed", None: "unknown"}[status.sha256_from]
    return origin if status.sha256 is None else f"{origin} {status.sha256[:8]}"


def _verdict(status: Status) -> str:
    if status.sha256_from in ("card", "pin"):
        return f"as {'the card states' if status.sha256_from == 'card' else 'pinned'} ({status.sha256})"
    hash = f" ({status.sha256})" if status.sha256 else ""
    return f"its hash is stated nowhere{hash}; it is pinned when a model has loaded the file"


def _state(status: Status) -> str:
    return f"partial, {units.size(status.present_bytes)}" if status.state == "partial" else status.state
