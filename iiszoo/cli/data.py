"""`iiszoo data`: where datasets lie, and whether their files are right."""

from __future__ import annotations

from pathlib import Path

import click

from iiszoo.cli.output import json_option, print_json
from iiszoo.data import roots
from iiszoo.errors import BadOption, DatasetError
from iiszoo.registry import load_dataset, registry


@click.group("data")
def command() -> None:
    """Say where datasets lie, check their files, register a local copy."""


@command.command("path")
@click.argument("dataset")
@click.option("--root", type=click.Path(path_type=Path), help="The dataset's directory, or one that holds it.")
@json_option
def path(dataset: str, root: Path | None, as_json: bool) -> None:
    """Print the directory that DATASET is read from."""
    place = str(load_dataset(dataset, root).place)
    print_json({"dataset": dataset, "path": place}) if as_json else click.echo(place)


@command.command("check")
@click.argument("dataset")
@click.option("--root", type=click.Path(path_type=Path), help="The dataset's directory, or one that holds it.")
@json_option
def check(dataset: str, root: Path | None, as_json: bool) -> None:
    """Check that DATASET is complete: image and mask pairs, their number, and their sizes (from the files' headers)."""
    loaded = load_dataset(dataset, root)
    faults = list(loaded.check_files())
    expected = registry().datasets.resolve(dataset.partition(":")[0]).n_samples
    if expected not in (None, len(loaded)):
        faults.append(f"{len(loaded)} samples instead of {expected}")
    if as_json:
        print_json({"dataset": dataset, "path": str(loaded.place), "n_samples": len(loaded), "faults": faults})
    elif not faults:
        click.echo(f"{dataset}: {len(loaded)} samples in {loaded.place}, all files there")
    if faults:
        listed = "\n  ".join(faults)
        raise DatasetError(f"dataset {dataset} in {loaded.place} is not right:\n  {listed}")


@command.command("add")
@click.argument("dataset")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
def add(dataset: str, directory: Path, as_json: bool) -> None:
    """Register DIRECTORY as the place where DATASET lies."""
    card = registry().datasets.resolve(dataset)
    if card.embedded or card.takes_argument:
        raise BadOption(f"dataset {card.id!r} has no place of its own to register")
    loaded = load_dataset(dataset, directory)  # an error here says which layout is expected
    roots.register(card, loaded.place)
    if as_json:
        print_json({"dataset": card.id, "path": str(loaded.place), "n_samples": len(loaded)})
    else:
        click.echo(f"{card.id}: {len(loaded)} samples in {loaded.place}")
