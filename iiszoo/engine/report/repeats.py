"""The table of robustness: one row for each group of runs that differ in the robot, or in the seed, alone."""

from __future__ import annotations

from collections.abc import Sequence

from iiszoo import units
from iiszoo.engine.comparison.repeats import BASE, Repeats
from iiszoo.engine.report import table

MEANINGS = (
    "NoC and AuC: mean ± standard deviation over the runs; user@1: IoU after people's recorded first click in %, ± its "
    "standard deviation in a sample; NSR: standard deviation over mean of a sample's AuC, in %; dGR: how many more "
    f"clicks the worst run needs than the best, dSB: than the robot {BASE}, in %"
)


def tables(groups: Sequence[Repeats]) -> list[tuple[list[str], list[list[str]]]]:
    """(columns, rows) for each goal, since NoC of different goals are different figures; a dash for what is unknown."""
    by_goal: dict[str, list[Repeats]] = {}
    for group in groups:
        by_goal.setdefault(group.goal.name, []).append(group)
    titles = ["AuC", "user@1", "NSR", "dGR", "dSB"]
    return [
        (["model", "dataset", "over", "n", goal, "least", "most", *titles], [_row(group) for group in there])
        for goal, there in by_goal.items()
    ]


def _row(group: Repeats) -> list[str]:
    first, found = group.runs[0], group.robustness
    over = units.number_of(len(group.nocs), group.over)
    nocs = [f"{group.mean:.2f} ± {group.spread:.2f}", f"{min(group.nocs):.2f}", f"{max(group.nocs):.2f}"]
    head = [first["model"], table.dataset_names([first])[0], over]
    if found is None:
        return [*head, "0", *nocs, *["–"] * 5]
    user = "–" if found.user is None else f"{_percent(found.user)} ± {_percent(found.user_spread)}"
    auc = f"{_percent(found.auc)} ± {_percent(found.auc_spread)}"
    return [*head, str(found.n), *nocs, auc, user, _percent(found.nsr), _percent(found.dgr), _percent(found.dsb)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
