"""How a reproduction is presented: the rows of its table, its notes, its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from iiszoo import units
from iiszoo.engine.report import page
from iiszoo.engine.report.columns import column
from iiszoo.engine.reproduce.compare import TOLERANCE, Comparison, agreement, compare, shown
from iiszoo.engine.reproduce.plan import Lack
from iiszoo.engine.reproduce.run import Outcome, State
from iiszoo.engine.runs import summary
from iiszoo.errors import few

_THEIRS = {"published": "published", "measured": "recorded"}


@dataclass(frozen=True)
class Reproduction:
    """The outcomes of all attempts, judged. `against` is the table that the figures are from."""

    outcomes: Sequence[Outcome]
    against: str = "published"
    tolerance: Decimal = TOLERANCE

    @property
    def comparisons(self) -> list[Comparison]:
        return [each for outcome in self.outcomes for each in compare(outcome, self.tolerance)]

    @property
    def failed(self) -> list[Outcome]:
        return self._in("failed")

    @property
    def fault(self) -> str | None:
        """What went wrong, in a sentence; None if every figure that was compared agrees and no run failed."""
        compared = [each for each in self.comparisons if each.agrees is not None]
        far = [each.figure for each in compared if not each.agrees]
        if far:
            named = few([f"{row.metric} of {row.model} on {row.dataset}" for row in far])
            number = f"{units.number_of(len(far), 'figure')} differ{'s' if len(far) == 1 else ''}"
            return f"{number} by more than {self.tolerance} clicks: {named}"
        if self.failed:
            return (
                f"{units.number_of(len(self.failed), 'run')} failed: {few([one.attempt.name for one in self.failed])}"
            )
        if not self._in("ran"):
            return "nothing could be run; `--plan` says what each run lacks"
        return None

    @property
    def answer(self) -> str:
        return agreement(self.comparisons, self.tolerance)

    def columns(self) -> list[str]:
        theirs = _THEIRS.get(self.against, "stated")
        return ["model", "dataset", "metric", theirs, "ours", "difference", f"within {self.tolerance}", "source"]

    def rows(self) -> list[list[str]]:
        """A row for every figure of a run that ran, in the order of `columns`; the last cell is prose."""
        return [
            [
                each.figure.model,
                each.figure.dataset,
                column(each.figure.metric).title,
                shown(Decimal(repr(each.figure.value)).quantize(each.ours) if each.ours else None),
                shown(each.ours),
                shown(each.difference, sign=True),
                {True: "yes", False: "no", None: "–"}[each.agrees],
                f"not comparable: {each.why_not}" if each.why_not else each.figure.source,
            ]
            for each in self.comparisons
        ]

    def failures(self) -> list[str]:
        """A sentence for every run that failed."""
        return [f"{outcome.attempt.name} failed: {outcome.reason}" for outcome in self.failed]

    def not_run(self) -> list[str]:
        """What was not run, and why: the run that was stopped and those after it, then all that is lacking."""
        stopped = self._in("stopped")
        lines = [f"stopped before its end: {one.attempt.name}" for one in stopped[:1]]
        if len(stopped) > 1:
            lines.append(f"not begun: {few([one.attempt.name for one in stopped[1:]])}")
        n_figures: Counter[Lack] = Counter()
        for outcome in self.outcomes:
            n_figures.update(dict.fromkeys(outcome.lacks, len(outcome.attempt.figures)))
        for lack, n in n_figures.items():
            lines.append(f"{units.number_of(n, 'figure')} not run for lack of {lack.what}: {lack.way_out}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """The verdict, each comparison, and each run with what it lacks."""
        compared = [each for each in self.comparisons if each.agrees is not None]
        return {
            "against": self.against,
            "tolerance": float(self.tolerance),
            "agrees": self.fault is None if compared else None,
            "n_figures": sum(len(outcome.attempt.figures) for outcome in self.outcomes),
            "n_compared": len(compared),
            "n_agree": sum(bool(each.agrees) for each in compared),
            "figures": [
                {
                    **asdict(each.figure),
                    "ours": None if each.ours is None else float(each.ours),
                    "difference": None if each.difference is None else float(each.difference),
                    "agrees": each.agrees,
                    "why_not": each.why_not,
                }
                for each in self.comparisons
            ],
            "runs": [_run_as_json(outcome) for outcome in self.outcomes],
        }

    def write_page(self, path: Path) -> None:
        """One page: the comparison, what was not run, and the report of the runs. Raises `RunError`."""
        results = [summary.read(Path(outcome.summary["directory"])) for outcome in self.outcomes if outcome.summary]
        lead = page.Lead(
            "published figures, run again" if self.against == "published" else "figures, run again",
            self.answer,
            self.columns(),
            self.rows(),
            3,
            [i for i, each in enumerate(self.comparisons) if each.agrees is False],
            [f"figures: {self.against}; difference: ours minus theirs, in clicks", *self.not_run()],
            self.failures(),
        )
        page.write(path, page.render(results, lead=lead))

    def _in(self, state: State) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state == state]


def _run_as_json(outcome: Outcome) -> dict[str, Any]:
    attempt, summary = outcome.attempt, outcome.summary or {}
    return {
        "model": attempt.model,
        "dataset": attempt.dataset,
        "metrics": [row.metric for row in attempt.figures],
        "state": outcome.state,
        "reason": outcome.reason,
        "lacks": [lack.what for lack in outcome.lacks],
        "directory": summary.get("directory"),
    }
