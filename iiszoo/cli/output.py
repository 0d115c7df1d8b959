"""How every verb prints: tables for people, JSON for machines, warnings on stderr. Verbs print in no other way."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from iiszoo import plugins
from iiszoo.cli.terminal import in_encoding_of, shown

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def _metrics(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    from iiszoo.engine.report.columns import chosen

    return None if value is None else chosen(value)


metrics_option = click.option(
    "--metrics",
    callback=_metrics,
    metavar="NAME,...",
    help="Metrics in the table: noc90, nof90_strict, iou@5, biou@5, auc, spc_seconds, ...  "
    "[default: noc85,noc90,nof90,iou@1,iou@5,model_ms_median, after initial_iou if there are initial masks]",
)


def echo(text: object, *, head: str = "", err: bool = False, bold: bool = False) -> None:
    """Print one or more lines, with characters that steer the terminal escaped; `head` is printed first, unescaped."""
    plain = shown(str(text))
    line = head + (click.style(plain, bold=True) if bold else plain)
    click.echo(line, sys.stderr if err else sys.stdout)  # click itself would choose UTF-8 on an ASCII terminal


def print_results(summaries: Sequence[dict[str, Any]], names: Sequence[str] | None) -> None:
    """Print the table of runs on stdout, with the chosen metrics, and its notes."""
    from iiszoo.engine.report import table

    names = table.metrics_for(summaries) if names is None else names
    print_table(table.columns(names), table.rows(summaries, names))
    for line in table.notes(summaries, names):
        echo(line)


def print_json(value: Any) -> None:
    """Print a JSON value; dataclasses become objects and paths strings."""

    def plain(odd: Any) -> Any:
        if dataclasses.is_dataclass(odd) and not isinstance(odd, type):
            return dataclasses.asdict(odd)
        return str(odd)

    echo(json.dumps(value, indent=2, default=plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, prose: bool = False) -> None:
    """Print a table on stdout. Nothing is cut off: if the terminal is too narrow, cells fold.

    With `prose` the last column contains sentences, and folds before the names in the other columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    for number, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=prose and number < len(columns) - 1)
    for row in rows:
        table.add_row(*(Text(in_encoding_of(sys.stdout, shown(cell, one_line=True))) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = 160 if prose else 10_000  # a file or a pipe has no width
    console.print(table)


def warn_of_broken_plugins() -> None:
    """Print one line on stderr that names the broken plugins, if there are any."""
    broken = [plugin.name for plugin in plugins.installed() if plugin.error is not None]
    if broken:
        many = "s are" if len(broken) > 1 else " is"
        echo(f"{len(broken)} plugin{many} broken: {', '.join(broken)}; `iiszoo plugins` says why", err=True)


def megabytes(size: int | None) -> str:
    """`375 MB`, or `? MB` if the size is unknown."""
    return f"{size / 1e6:.3g} MB" if size is not None else "? MB"
