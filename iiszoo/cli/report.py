"""`iiszoo report`: the table of earlier runs, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo.cli.output import echo, json_option, metrics_option, print_json, warn_of_broken_plugins
from iiszoo.cli.report_page import page_root_option, write_page
from iiszoo.errors import BadOption, RunError

if TYPE_CHECKING:
    from iiszoo.engine.runs.summary import Result


@click.command("report")
@click.argument("directories", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page: curves, histograms, the worst samples.",
)
@page_root_option
@click.option(
    "--cost",
    default="seed",
    show_default=True,
    help="What a person's work costs in campaigns: see `iiszoo campaign --help`.",
)
@click.option("--limit", type=click.IntRange(1), help="Compare on this many samples of each dataset, from its first.")
@click.option("--worst", type=click.IntRange(1), metavar="N", help="Also print the N worst samples of every run.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "markdown", "latex"]),
    default="table",
    show_default=True,
    help="Of the table on stdout. In markdown and latex the best is bold, and models have citation keys.",
)
@click.option("--bibtex", is_flag=True, help="Print the BibTeX entries of those citation keys, and nothing else.")
@metrics_option
@json_option
def command(
    directories: tuple[Path, ...],
    html: Path | None,
    root: Path | None,
    cost: str,
    limit: int | None,
    worst: int | None,
    form: str,
    bibtex: bool,
    metrics: Sequence[str] | None,
    as_json: bool,
) -> None:
    """Print the table of every run, and the results of every campaign, at or below each DIR; write a page with --html.

    Runs on the same data are compared on the samples that all of them have done. The page is one self-contained file:
    it can be sent to a colleague and opens without a network. A run that cannot be read is named on stderr and left
    out; the exit code is 0 unless none can be read.
    """
    wishes = as_json, bibtex, form != "table"
    for_machines = any(wishes)
    if sum(wishes) > 1:
        raise BadOption("--json, --bibtex and --format each print something else; give one of them")
    from iiszoo.cli.campaign_results import print_campaign
    from iiszoo.cli.comparisons import print_comparison, print_worst
    from iiszoo.engine.campaign import results as campaign_results
    from iiszoo.engine.campaign.cost import load_cost
    from iiszoo.engine.comparison.samples import limited, on_common_samples
    from iiszoo.engine.runs import summary

    costs = load_cost(cost)
    places = campaign_results.find(directories)
    campaigns, unread = campaign_results.read_all(places, costs)
    results, faults = summary.read_all(directories, places)
    for fault in (*unread, *faults):
        echo(f"left out: {fault}", err=True)
    if not results and not campaigns:
        raise RunError("nothing is left to report")
    results, sentences = on_common_samples(limited(results, limit))
    if as_json:
        from iiszoo.engine.comparison.plain import as_values

        print_json([*as_values(results), *(each.as_json() for each in campaigns)])
    elif bibtex or form != "table":
        _print_for_papers(results, None if bibtex else form, metrics)
    elif results:
        print_comparison(results, sentences, metrics)
        if worst is not None:
            print_worst(results, worst)
    if not for_machines:
        for each in campaigns:
            print_campaign(each)
    if html is not None:
        write_page(html, results, root, campaigns, sentences, for_machines=for_machines)
    warn_of_broken_plugins()


def _print_for_papers(results: Sequence[Result], form: str | None, metrics: Sequence[str] | None) -> None:
    """Print the table in another format, or, for None, the bibliography."""
    from iiszoo.engine.report.sheet import bibliography, sheet

    if not results:
        raise RunError("campaigns have no such table; `iiszoo report DIR --json` has their figures")
    if form is not None:
        echo(sheet(form, results, metrics))
        return
    entries, without = bibliography([summary for summary, _ in results])
    if entries:
        echo(entries)
    if without:
        echo(f"no citation is known of {', '.join(without)}", err=True)
