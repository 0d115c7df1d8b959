"""`iiszoo results compare`: where two runs differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from iiszoo.cli.output import echo_wrapped, json_option, print_json
from iiszoo.cli.report_page import page_root_option, write_page
from iiszoo.errors import RunError, few

if TYPE_CHECKING:
    from iiszoo.engine.runs.summary import Result


@click.command("compare")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@click.option("-n", "n", type=click.IntRange(0), default=10, show_default=True, help="Samples to list.")
@click.option(
    "--goal",
    type=click.FloatRange(0, 1, min_open=True),
    help="The IoU of NoC.  [default: the lower of the runs' target IoUs]",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page: the final masks of both runs side by side where they differ most.",
)
@page_root_option
@json_option
def compare(a: Path, b: Path, n: int, goal: float | None, html: Path | None, root: Path | None, as_json: bool) -> None:
    """Compare run A with run B: clicks, how sure the difference is, and the samples in which they differ most.

    A and B are run directories: models, evaluation protocols or versions on the same data. They are compared on the
    samples that both have done.
    """
    from iiszoo.cli.comparisons import print_pair
    from iiszoo.engine.comparison.pairs import Goal, goal_of, pair
    from iiszoo.engine.comparison.plain import pair_values
    from iiszoo.engine.comparison.samples import on_common_samples
    from iiszoo.engine.report import table

    results = [_only_run(a), _only_run(b)]
    rules = goal_of([summary for summary, _ in results])
    if goal is not None and goal > rules.iou:
        raise RunError(f"sessions of these runs end at IoU {rules.iou:g}; give a --goal up to that")
    found = pair(results[0], results[1], rules if goal is None else Goal(goal, rules.max_clicks))
    results, sentences = on_common_samples(results)
    labels = table.labels([summary for summary, _ in results])
    if as_json:
        print_json({"a": str(a), "b": str(b), **pair_values(found)})
    else:
        print_pair(found, labels[0], labels[1], n)
        for sentence in [*sentences, *_other_rules(results)]:
            echo_wrapped(sentence)
    if html is not None:
        write_page(html, results, root, sentences=sentences, for_machines=as_json)


def _only_run(directory: Path) -> Result:
    from iiszoo.engine.runs import store, summary

    runs = store.find_runs(directory)
    if len(runs) > 1:
        raise RunError(f"{directory} contains {len(runs)} runs; give one of them: {few(runs, 5)}")
    return summary.read(runs[0])


def _other_rules(results: list[Result]) -> list[str]:
    """A sentence for the rules in which the evaluation protocols differ."""
    a, b = (summary["protocol"] for summary, _ in results)
    different = [rule for rule in sorted({*a, *b} - {"name", "hash"}) if a.get(rule) != b.get(rule)]
    if not different:
        return []
    named = ", ".join(f"{rule.replace('_', ' ')} {a.get(rule)} in A, {b.get(rule)} in B" for rule in different)
    return [f"their evaluation protocols differ: {named}"]
