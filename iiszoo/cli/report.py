"""`iiszoo report`: the table of runs that were made before, and a page to show."""

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
    help="The dataset's directory, or one that holds datasets by their ids: where the page takes pictures from.",
)
@metrics_option
@json_option
def command(
    directories: tuple[Path, ...], html: Path | None, root: Path | None, metrics: Sequence[str] | None, as_json: bool
) -> None:
    """Print the table of every run at or below each DIR again, and make a page of it.

    The page is one file that holds everything it shows: it can be sent to a colleague and opens without a network.
    A run that cannot be read is named on stderr and left out; only where none can is the exit code not 0.
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
        echo(f"page written to {html.resolve()}", err=as_json)  # stdout is JSON's alone
    warn_of_broken_plugins()
