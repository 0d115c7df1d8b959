"""How every verb prints: tables for people, JSON for machines, warnings on stderr. Verbs print in no other way."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from iiszoo import plugins
from iiszoo.cli.terminal import shown

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def _metrics(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    from iiszoo.engine.report.columns import chosen

    return None if value is None else chosen(value)


metrics_option = click.option(
    "--metrics",
    callback=_metrics,
    metavar="NAME,...",
    help="Metrics in the table: noc90, nof90_strict, iou@5, biou@5, auc, spc_seconds, ...  "
    "[default: NoC and NoF up to the evaluation protocol's target IoU, iou@1, iou@5, init_ms_median, model_ms_median]",
)


def echo(text: object, *, head: str = "", err: bool = False, bold: bool = False) -> None:
    """Print one or more lines, with characters that steer the terminal escaped; `head` is printed first, unescaped."""
    plain = shown(str(text))
    line = head + (click.style(plain, bold=True) if bold else plain)
    click.echo(line, sys.stderr if err else sys.stdout)  # click itself would choose UTF-8 on an ASCII terminal


def echo_wrapped(text: str) -> None:
    """Print a sentence on stdout, broken between words where a terminal is too narrow for it."""
    from iiszoo.cli.tables import wrapped

    echo("\n".join(wrapped(text, indent="")))


def print_json(value: Any) -> None:
    """Print a JSON value; dataclasses become objects and paths strings."""

    def plain(odd: Any) -> Any:
        if dataclasses.is_dataclass(odd) and not isinstance(odd, type):
            return dataclasses.asdict(odd)
        return str(odd)

    echo(json.dumps(value, indent=2, default=plain))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, prose: bool = False, lines: int | None = None
) -> None:
    """Print a table on stdout; see `iiszoo.cli.tables.table`."""
    from iiszoo.cli.tables import table

    echo(table(columns, rows, prose=prose, lines=lines))


def print_facts(facts: dict[str, Any]) -> None:
    """Print named values, indented, one to a line or more; what is empty is left out. A value named "" has no name."""
    from iiszoo.cli.tables import wrapped

    for name, value in facts.items():
        if value not in (None, "", (), [], {}):
            echo("\n".join(wrapped(f"{name}: {_plain(value)}" if name else _plain(value))))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item not in (None, "", ()))
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def warn_of_broken_plugins() -> None:
    """Print one line on stderr that names the broken plugins, if there are any."""
    broken = [plugin.name for plugin in plugins.installed() if plugin.error is not None]
    if broken:
        many = "s are" if len(broken) > 1 else " is"
        echo(f"{len(broken)} plugin{many} broken: {', '.join(broken)}; `iiszoo plugins` says why", err=True)
