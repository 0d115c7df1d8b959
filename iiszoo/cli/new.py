"""`iiszoo new`: begin a plugin."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from iiszoo.cli.output import echo


@click.command("new")
@click.argument("name")
@click.option(
    "--dir",
    "place",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the project is written, a new or an empty directory.  [default: iiszoo-NAME]",
)
@click.option(
    "--from",
    "trained",
    metavar="RUN",
    default="",
    help="Make the plugin of a network that `iiszoo train` trained: its run directory or safetensors file.",
)
def command(name: str, place: Path | None, trained: str) -> None:
    """Write the project of a plugin: a model that works, its card, tests, packaging and CI, to be made your own.

    NAME becomes the family of its models: `iiszoo bench --model NAME` runs it once the project is installed.
    """
    from iiszoo import plugin_project

    place = place or Path(f"iiszoo-{name}")
    for path in plugin_project.write(name, place, trained):
        echo(path)
    echo(
        f"\nnext:\n  cd {shlex.quote(str(place))}\n  pip install -e '.[test]'\n  pytest\n  iiszoo bench --model {name}"
    )
