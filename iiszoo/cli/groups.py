"""Groups of commands, whose help shows the first sentence of each command whole."""

from __future__ import annotations

import click

_LONGEST = 400
"""Characters of a sentence; click itself cuts it to one line of the terminal."""


class Group(click.Group):
    """A click group."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands; a sentence that is too long for a line wraps."""
        commands = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        rows = [(name, command.get_short_help_str(_LONGEST)) for name, command in commands if not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
