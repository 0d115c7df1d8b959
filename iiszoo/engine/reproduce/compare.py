"""Our figures beside those to reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from iiszoo import units
from iiszoo.engine.reproduce.run import Outcome
from iiszoo.engine.runs.dataset_check import differences
from iiszoo.errors import IISZooError
from iiszoo.figures import Published
from iiszoo.registry import resolve_dataset

TOLERANCE = Decimal("0.02")
"""Clicks (NoC) by which a figure may differ: single clicks on single samples, by rounding on other hardware."""
_DECIMALS = Decimal("0.01")
"""What papers round NoC to, at least."""


@dataclass(frozen=True)
class Comparison:
    """A figure and ours. `ours` is rounded as the figure is, `difference` is ours minus the figure; `agrees` says
    whether that is within the tolerance, None if they cannot be compared, for the reason `why_not`.
    """

    figure: Published
    ours: Decimal | None
    difference: Decimal | None
    agrees: bool | None
    why_not: str = ""


def compare(outcome: Outcome, tolerance: Decimal = TOLERANCE) -> list[Comparison]:
    """Every figure that a run answers; none if it did not run."""
    if outcome.summary is None:
        return []
    why_not = "; ".join(_obstacles(outcome.summary))
    return [_compared(figure, outcome.summary, tolerance, why_not) for figure in outcome.attempt.figures]


def _compared(figure: Published, summary: dict[str, Any], tolerance: Decimal, why_not: str) -> Comparison:
    """Both are compared as they are printed: ours is rounded to the decimals that the figure states, two at least.

    So a difference of exactly the tolerance is within it, and the table can be checked by hand.
    """
    value, exact = summary["metrics"][figure.metric], Decimal(repr(figure.value))
    if value is None:
        return Comparison(figure, None, None, None, why_not or "there is no such figure yet")
    ours = Decimal(value).quantize(min(exact.normalize(), _DECIMALS, key=_precision))
    difference = ours - exact
    return Comparison(figure, ours, difference, None if why_not else abs(difference) <= tolerance, why_not)


def _precision(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # neither infinite nor NaN
    return exponent


def _obstacles(summary: dict[str, Any]) -> list[str]:
    """Why a run's figures are not those of the published dataset."""
    done, total, n_broken = summary["n_done"], summary["n_samples"], len(summary["skipped"])
    found = [f"{done} of {units.number_of(total, 'sample')}"] if done < total else []
    if n_broken:
        found.append(f"{units.number_of(n_broken, 'broken sample')} left out")
    if summary["n_failed"]:
        found.append(f"the model failed on {units.number_of(summary['n_failed'], 'sample')}")
    try:
        card, _ = resolve_dataset(summary["dataset"])
    except IISZooError:  # its plugin is gone, and the run is an earlier one
        return found
    fingerprint = summary["provenance"].get("dataset", {}).get("fingerprint")
    return [*found, *differences(card, total, fingerprint)]


def shown(number: Decimal | None, sign: bool = False) -> str:
    """`2.10`; with its sign `+0.02`; a dash if unknown."""
    return "–" if number is None else f"{number:{'+' if sign else ''}f}"


def agreement(comparisons: Sequence[Comparison], tolerance: Decimal) -> str:
    """The answer in one sentence."""
    compared = [each for each in comparisons if each.agrees is not None]
    if not compared:
        return "no figure could be compared"
    n_agree = sum(bool(each.agrees) for each in compared)
    verb = "agrees" if len(compared) == 1 else "agree"
    return f"{n_agree} of {units.number_of(len(compared), 'figure')} {verb} within {tolerance} clicks"
