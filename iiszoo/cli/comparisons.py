"""What is printed of runs beside each other: the table, their ranking, repeats, pairs, and the worst samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from iiszoo import units
from iiszoo.cli.output import echo, echo_wrapped, print_table

if TYPE_CHECKING:
    from iiszoo.engine.comparison.pairs import Pair
    from iiszoo.engine.comparison.rankings import Ranking
    from iiszoo.engine.metrics.bootstrap import Interval
    from iiszoo.engine.runs.summary import Result

NOT_DISTINGUISHABLE = "not distinguishable"


def print_comparison(results: Sequence[Result], sentences: Sequence[str], metrics: Sequence[str] | None) -> None:
    """Print the table of the runs, the `sentences` that say which samples it is of (`comparison.samples`), and how sure
    the differences are.
    """
    from iiszoo.engine.comparison.rankings import rankings
    from iiszoo.engine.comparison.repeats import repeats
    from iiszoo.engine.report import repeats as repeats_table
    from iiszoo.engine.report import table

    summaries = [summary for summary, _ in results]
    labels = table.labels(summaries)
    names = table.metrics_for(summaries) if metrics is None else metrics
    print_table(table.columns(names), table.rows(summaries, names))
    for sentence in [*table.notes(summaries, names), *sentences]:
        echo_wrapped(sentence)
    for ranking in rankings(results):
        _print_ranking(ranking, labels)
    repeated = repeats_table.tables(repeats(results))
    for columns, rows in repeated:
        echo("")
        print_table(columns, rows)
    if repeated:
        echo_wrapped(repeats_table.MEANINGS)


def _print_ranking(ranking: Ranking, labels: Sequence[str]) -> None:
    from iiszoo.engine.comparison.rankings import FEW

    few = "; with so few samples, intervals are too narrow" if ranking.n < FEW else ""
    echo("")
    echo_wrapped(f"{ranking.goal.name} on {ranking.dataset}, {units.number_of(ranking.n, 'sample')}{few}")
    rows = []
    for row in ranking.rows:
        beside = row.beside_best
        more = ["best", "", ""] if beside is None else _difference(beside)
        rows.append([labels[row.run], f"{row.mean:.2f}", shown(row.noc), *more])
    print_table(["model", ranking.goal.name, "95 % interval", "to the best", "95 % interval", ""], rows)


def _difference(pair: Pair) -> list[str]:
    return [
        f"{pair.noc_b - pair.noc_a:+.2f}",
        shown(pair.difference),
        "" if pair.distinguishable else NOT_DISTINGUISHABLE,
    ]


def shown(interval: Interval | None) -> str:
    """`1.20 to 1.54`; a dash if there is none."""
    return "–" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def print_worst(results: Sequence[Result], n: int) -> None:
    """Print the `n` worst samples of every run."""
    from iiszoo.engine.comparison.pairs import goal_of
    from iiszoo.engine.metrics import iou_at, reached
    from iiszoo.engine.report import table
    from iiszoo.engine.report.pictures import worst

    summaries = [summary for summary, _ in results]
    named = zip(table.labels(summaries), table.dataset_names(summaries), results, strict=True)
    for label, place, (summary, traces) in named:
        goal = goal_of([summary])
        chosen = worst(traces, goal.iou, goal.max_clicks, n)
        echo("")
        echo_wrapped(f"{label} on {place}: the {len(chosen)} worst of {units.number_of(len(traces), 'sample')}")
        rows = [
            [
                trace.sample,
                f"{goal.noc(trace)}" if reached(trace, goal.iou) else "never",
                f"{100 * iou_at(trace, goal.max_clicks):.1f}",
                f"{sum(map(len, trace.clicks))}",
                trace.error or "",
            ]
            for trace in chosen
        ]
        print_table(["sample", goal.name, "IoU at the end", "clicks", ""], rows, prose=True)


def print_pair(pair: Pair, a: str, b: str, n: int) -> None:
    """Print how runs `a` and `b` differ, and the `n` samples in which they differ most."""
    means = f"{a} {pair.noc_a:.2f}, {b} {pair.noc_b:.2f}"
    less = f"{pair.noc_b - pair.noc_a:+.2f}"
    sure = "" if pair.difference is None else f", 95 % interval {shown(pair.difference)}"
    verdict = "" if pair.distinguishable else f": {NOT_DISTINGUISHABLE}"
    echo_wrapped(f"{pair.goal.name} on {units.number_of(pair.n, 'sample')}: {means}")
    echo_wrapped(f"difference of {b}: {less} clicks{sure}{verdict}")
    echo_wrapped(f"{a} needs fewer clicks in {pair.wins}, as many in {pair.ties}, more in {pair.losses}")
    rows = [
        [
            one.sample,
            f"{one.noc_a}" if one.reached_a else "never",
            f"{one.noc_b}" if one.reached_b else "never",
            f"{100 * one.iou_a:.1f}",
            f"{100 * one.iou_b:.1f}",
        ]
        for one in pair.samples[:n]
    ]
    if rows:
        echo("")
        print_table(["where they differ most", f"{pair.goal.name} A", "B", "IoU at the end A", "B"], rows)
