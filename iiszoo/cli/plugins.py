"""`iiszoo plugins`: which plugins are installed, and why some are broken."""

from __future__ import annotations

from collections import Counter

import click

from iiszoo import plugins
from iiszoo.cli.output import echo, json_option, print_json, print_table
from iiszoo.errors import one_line


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """Show every plugin: distribution, version, status, import time; for a broken one its error and traceback."""
    found = plugins.installed()
    if as_json:
        print_json(
            [
                {
                    "name": plugin.name,
                    "module": plugin.module,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "status": _status(plugin),
                    "import_seconds": round(plugin.import_seconds, 4),
                    "cards": [card.id for card in plugin.cards] if plugin.error is None else [],
                    "commands": sorted(plugin.commands) if plugin.error is None else [],
                    "error": plugin.failure(plugin.error) if plugin.error is not None else None,
                    "traceback": plugin.traceback or None,
                }
                for plugin in found
            ]
        )
        return
    rows = [
        [
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            _status(plugin),
            f"{1e3 * plugin.import_seconds:.0f} ms",
            _provides(plugin),
        ]
        for plugin in found
    ]
    print_table(["plugin", "distribution", "status", "import", "provides"], rows, prose=True)
    for plugin in found:
        if plugin.error is not None:
            echo(plugin.failure(plugin.error), bold=True)
            echo(plugin.traceback)


def _status(plugin: plugins.Plugin) -> str:
    return "ok" if plugin.error is None else "broken"


def _provides(plugin: plugins.Plugin) -> str:
    if plugin.error is not None:
        return one_line(plugin.error)
    kinds = Counter(plugins.kind_of(card) for card in plugin.cards)
    counts = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items()]
    return ", ".join([*counts, *(f"command {name}" for name in sorted(plugin.commands))]) or "nothing"
