"""The program itself: finds the verb, and turns an error into one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module

import click

import iiszoo
from iiszoo import hookspecs, plugins
from iiszoo.cli.foreign_output import give_stdout_back, keep_stdout
from iiszoo.errors import IISZooError


class Verbs(click.Group):
    """iiszoo's own commands, imported when they are asked for, and those of the plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*hookspecs.COMMANDS, *(name for plugin in _sound_plugins() for name in plugin.commands)])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in hookspecs.COMMANDS:
            command: click.Command = import_module(f"iiszoo.cli.{name}").command
            return command
        return next((plugin.commands[name] for plugin in _sound_plugins() if name in plugin.commands), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name not in hookspecs.COMMANDS:
            give_stdout_back()
        return name, command, rest


def _sound_plugins() -> list[plugins.Plugin]:
    return [plugin for plugin in plugins.installed() if plugin.error is None]


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(iiszoo.__version__, prog_name="iiszoo")
def cli() -> None:
    """A model zoo and benchmark for interactive image segmentation.

    `iiszoo bench` alone runs a real benchmark: the built-in method on the built-in images. `iiszoo list` shows what is
    installed; every plugin (pip install iiszoo[sam], ...) adds to it.
    """


def main() -> None:
    """Run the program. Exit codes: 0; 1 a fault of iiszoo; 2 something the user can mend; 130 interrupted."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # an unreadable image is reported once, by us
    log = logging.StreamHandler()
    log.setLevel(logging.WARNING)  # of its own: a plugin may set the level of the root
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[log])
    keep_stdout()
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except IISZooError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
