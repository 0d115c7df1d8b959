"""`iiszoo plugins`: which plugins are installed, and why some are broken."""

from __future__ import annotations

import dataclasses
from collections import Counter

import click

from iiszoo import plugins, units
from iiszoo.cli.output import echo, json_option, print_json, print_table
from iiszoo.errors import one_line
from iiszoo.known_plugins import known_plugins


@click.command("plugins")
@click.option("--available", is_flag=True, help="Show the plugins that are known to exist, and how to install them.")
@json_option
def command(available: bool, as_json: bool) -> None:
    """Show every installed plugin: its version, status and import time.

    For a broken one its error and traceback are shown too.
    """
    if available:
        _print_available(as_json)
        return
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


def _print_available(as_json: bool) -> None:
    there = {plugin.name for plugin in plugins.installed()}
    known = known_plugins()
    if as_json:
        print_json([{**dataclasses.asdict(plugin), "installed": plugin.name in there} for plugin in known])
        return
    rows = [
        [plugin.name, str(len(plugin.models)), "yes" if plugin.name in there else plugin.install, plugin.summary]
        for plugin in known
    ]
    print_table(["plugin", "models", "installed", ""], rows, prose=True)


def _status(plugin: plugins.Plugin) -> str:
    return "ok" if plugin.error is None else "broken"


def _provides(plugin: plugins.Plugin) -> str:
    if plugin.error is not None:
        return one_line(plugin.error)
    kinds = Counter(plugins.kind_of(card) for card in plugin.cards)
    counts = [units.number_of(n, kind) for kind, n in kinds.items()]
    return ", ".join([*counts, *(f"command {name}" for name in sorted(plugin.commands))]) or "nothing"
