"""`iiszoo report`: the table of earlier runs, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from iiszoo.cli.output import echo, json_option, metrics_option, print_json, print_results, warn_of_broken_plugins


@click.command("report")
@click.argument("directories", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page: curves, histograms, the worst samples.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The dataset's directory, or one that contains datasets under their ids: the source of the page's pictures.",
)
@metrics_option
@json_option
def command(
    directories: tuple[Path, ...], html: Path | None, root: Path | None, metrics: Sequence[str] | None, as_json: bool
) -> None:
    """Print the table of every run at or below each DIR, and write a page of it with --html.

    The page is one self-contained file: it can be sent to a colleague and opens without a network. A run that cannot be
    read is named on stderr and left out; the exit code is 0 unless none can be read.
    """
    from iiszoo.engine.runs import summary

    results, faults = summary.read_all(directories)
    for fault in faults:
        echo(f"left out: {fault}", err=True)
    summaries = [each for each, _ in results]
    if as_json:
        print_json(summaries)
    else:
        print_results(summaries, metrics)
    if html is not None:
        from iiszoo.engine.report import page

        page.write(html, page.render(results, root))
        echo(f"page written to {html.resolve()}", err=as_json)  # with --json, stdout is for JSON only
    warn_of_broken_plugins()
