"""`iiszoo report`: the table of earlier runs, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from iiszoo.cli.output import echo, json_option, metrics_option, print_json, print_results, warn_of_broken_plugins
from iiszoo.errors import RunError


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
@click.option(
    "--cost",
    default="seed",
    show_default=True,
    help="What a person's work costs in campaigns: see `iiszoo campaign --help`.",
)
@metrics_option
@json_option
def command(
    directories: tuple[Path, ...],
    html: Path | None,
    root: Path | None,
    cost: str,
    metrics: Sequence[str] | None,
    as_json: bool,
) -> None:
    """Print the table of every run, and the results of every campaign, at or below each DIR; write a page with --html.

    The page is one self-contained file: it can be sent to a colleague and opens without a network. A run that cannot be
    read is named on stderr and left out; the exit code is 0 unless none can be read.
    """
    from iiszoo.cli.campaign_results import print_campaign
    from iiszoo.engine.campaign import results as campaign_results
    from iiszoo.engine.campaign.cost import load_cost
    from iiszoo.engine.runs import summary

    costs = load_cost(cost)
    places = campaign_results.find(directories)
    campaigns, unread = campaign_results.read_all(places, costs)
    results, faults = summary.read_all(directories, places)
    for fault in (*unread, *faults):
        echo(f"left out: {fault}", err=True)
    if not results and not campaigns:
        raise RunError("nothing is left to report")
    summaries = [each for each, _ in results]
    if as_json:
        print_json([*summaries, *(each.as_json() for each in campaigns)])
    else:
        if summaries:
            print_results(summaries, metrics)
        for each in campaigns:
            print_campaign(each)
    if html is not None:
        from iiszoo.engine.report import page

        page.write(html, page.render(results, root, campaigns))
        echo(f"page written to {html.resolve()}", err=as_json)  # with --json, stdout is for JSON only
    warn_of_broken_plugins()
