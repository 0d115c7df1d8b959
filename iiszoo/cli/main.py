"""The program itself: finds the verb, and turns an error into one sentence and an exit code."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

import iiszoo
from iiszoo import hookspecs, plugins
from iiszoo.cli import terminal
from iiszoo.cli.foreign_output import give_stdout_back, keep_stdout
from iiszoo.cli.groups import Group
from iiszoo.cli.output import echo
from iiszoo.errors import IISZooError, PluginError, with_place
from iiszoo.tracebacks import foreign_traceback, traceback_of


@dataclass
class Wishes:
    """What the user asks of the program as a whole: `ctx.obj` of every command."""

    traceback: bool = False


def _wish(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Wishes).traceback = True


_traceback = click.Option(
    ["--traceback"],
    is_flag=True,
    expose_value=False,
    callback=_wish,
    help="After an error, also print its traceback. So does IISZOO_TRACEBACK=1.",
)


def _with_traceback(command: click.Command) -> click.Command:
    """The command, or each command of the group, with the option: people add it to the end of what failed."""
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _with_traceback(each)
    works = not isinstance(command, click.Group) or command.invoke_without_command
    if works and not any("--traceback" in param.opts for param in command.params):
        command.params.append(_traceback)
    return command


class Verbs(Group):
    """iiszoo's own commands, imported on demand, and those of the plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*hookspecs.COMMANDS, *(name for plugin in _sound_plugins() for name in plugin.commands)])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in hookspecs.COMMANDS:
            return _with_traceback(import_module(f"iiszoo.cli.{name}").command)
        found = next((plugin.commands[name] for plugin in _sound_plugins() if name in plugin.commands), None)
        return None if found is None else _with_traceback(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name not in hookspecs.COMMANDS:
            give_stdout_back()
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Raises `PluginError` for whatever a plugin's command raises."""
        try:
            return super().invoke(ctx)
        except (IISZooError, OSError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            owner = next((each for each in _sound_plugins() if ctx.invoked_subcommand in each.commands), None)
            if owner is None:
                raise
            raise PluginError(
                f"command {ctx.invoked_subcommand} of plugin {owner.label} raised {with_place(error)}"
            ) from error


def _sound_plugins() -> list[plugins.Plugin]:
    return [plugin for plugin in plugins.installed() if plugin.error is None]


@click.command(
    cls=Verbs,
    params=[_traceback],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(iiszoo.__version__, prog_name="iiszoo")
def cli() -> None:
    """A model zoo and benchmark for interactive image segmentation.

    `iiszoo list` shows what there is to choose from, `iiszoo segment PHOTO.jpg --at ROW,COL` saves a mask, and `iiszoo
    bench` alone runs a real benchmark: the built-in network on the built-in images.
    """


def main() -> None:
    """Run the program. Exit codes: 0; 1 a bug in iiszoo; 2 something the user can fix; 130 interrupted."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # an unreadable image is reported once, by us
    keep_stdout()
    with terminal.prepared() as output:
        try:
            code = _run()
            output.flush()
        except OSError as error:
            if error.errno == errno.EPIPE and output.fault is not None:
                code = 1  # the reader has closed the pipe, as in `iiszoo list | head -1`
            elif output.fault is not None:
                code = _fail(f"error: the output cannot be written: {output.fault.strerror}; {_remedy(error)}", 2)
            elif error.errno in _REMEDIES:
                path = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
                code = _fail(f"error: {path}{error.strerror}; {_remedy(error)}", 2)
            else:
                raise
            output.abandon()
    gc.freeze()  # else the end of Python searches torch's modules for garbage for a second
    sys.exit(code)


def _run() -> int:
    """Run the verb; returns the exit code. Raises `OSError` for faults of the machine or of the output."""
    wishes = Wishes(os.environ.get("IISZOO_TRACEBACK") == "1")
    try:
        code = cli.main(standalone_mode=False, obj=wishes)
        return code if isinstance(code, int) else 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        return _fail(message.getvalue().rstrip("\n"), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except IISZooError as error:
        if wishes.traceback:
            _fail(traceback_of(error), 2)
        hint = (
            "" if wishes.traceback or foreign_traceback(error) is None else " (--traceback shows the whole traceback)"
        )
        return _fail(f"error: {error}{hint}", 2)


def _fail(sentence: str, code: int) -> int:
    with suppress(OSError):  # if stderr cannot be written either, only the exit code is left
        echo(sentence, err=True)
    return code


_REMEDIES = {
    errno.EACCES: "get permission, or use another path",
    errno.EPERM: "get permission, or use another path",
    errno.EROFS: "use a writable path",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room, or raise the file size limit",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "remove the loop of symbolic links",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.EIO: "check the disk, or use another path",
    errno.ESTALE: "mount the file system again, or use another path",
    errno.ENOLCK: "use a file system that has locks",
}
"""Faults of the machine, not of iiszoo, wherever they occur, and their remedies."""


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0, "write it to another path")


if __name__ == "__main__":
    main()
