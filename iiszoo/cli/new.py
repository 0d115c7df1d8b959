"""`iiszoo new`: start a plugin."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from iiszoo.cli.output import echo
from iiszoo.known_plugins import known_plugin


@click.command("new")
@click.argument("name")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's directory, new or empty.  [default: iiszoo-NAME]",
)
@click.option(
    "--from",
    "trained",
    metavar="RUN",
    default="",
    help="Make the plugin of a network that `iiszoo train` trained: its run directory or safetensors file.",
)
def command(name: str, directory: Path | None, trained: str) -> None:
    """Write a plugin project to make your own: a working model, its card, tests, packaging and CI.

    NAME becomes the family of its models: once the project is installed, `iiszoo bench --model NAME` runs it.
    """
    from iiszoo import plugin_project

    directory = directory or Path(f"iiszoo-{name}")
    known = known_plugin(name)
    if known is not None and known.name == name:
        echo(
            f"warning: the name {name!r} is taken by the plugin {known.distribution}; where both are installed, both "
            "are refused: choose another name to publish this one",
            err=True,
        )
    for path in plugin_project.write(name, directory, trained):
        echo(path)
    echo(
        f"\nnext:\n  cd {shlex.quote(str(directory))}\n  pip install -e '.[test]'\n  pytest\n"
        f"  iiszoo bench --model {name}"
    )
