"""Our figures beside the published ones: what is within the tolerance, and what cannot be compared at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.report import table
from iiszoo.engine.reproduce.compare import TOLERANCE, Comparison, agreement, compare
from iiszoo.engine.reproduce.plan import Attempt, rules_of
from iiszoo.engine.reproduce.run import Outcome
from iiszoo.figures import Published, published


def summary_of(noc90: float, model: str = "toy/a", dataset: str = "grabcut", **changes: Any) -> dict[str, Any]:
    return {
        "model": model,
        "dataset": dataset,
        "protocol": EvaluationProtocol(threshold=0.5).as_json(),
        "n_samples": 50,
        "n_done": 50,
        "n_failed": 0,
        "complete": True,
        "skipped": {},
        "metrics": {"noc85": noc90 - 1, "noc90": noc90},
        "provenance": {"dataset": {}},
        **changes,
    }


def compared(ours: float, theirs: float, tolerance: Decimal = TOLERANCE, **changes: Any) -> Comparison:
    row = Published("toy/a", "grabcut", "noc90", theirs, "a paper", "ritm")
    attempt: Any = Attempt("toy/a", "grabcut", rules_of([row]), (row,), (), None, None, False)  # type: ignore[arg-type]
    (found,) = compare(Outcome(attempt, "ran", summary_of(ours, **changes)), tolerance)
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "difference", "agrees"),
    [
        (1.78, 1.76, "0.02", True),  # as floats they differ by more than 0.02
        (1.74, 1.76, "-0.02", True),
        (1.79, 1.76, "0.03", False),
        (1.73, 1.76, "-0.03", False),
        (1.7849, 1.76, "0.02", True),  # as it is printed, 1.78
        (1.7851, 1.76, "0.03", False),
        (1.42, 1.4, "0.02", True),  # 1.4 stands for 1.40
        (2.0, 2.0, "0.00", True),
        (5.168, 5.148, "0.020", True),  # three decimals are compared as three
        (5.1686, 5.148, "0.021", False),
        (12.5, 12.48, "0.02", True),
    ],
)
def test_both_figures_are_compared_as_printed(ours: float, theirs: float, difference: str, agrees: bool) -> None:
    found = compared(ours, theirs)
    assert str(found.difference) == difference
    assert found.agrees is agrees


@given(
    n_samples=st.integers(1, 400),
    clicks=st.integers(1, 20),
    hundredths=st.integers(100, 2000),
    tolerance=st.integers(0, 50),
)
def test_the_verdict_follows_from_the_printed_figures(
    n_samples: int, clicks: int, hundredths: int, tolerance: int
) -> None:
    ours = min(20.0, clicks + clicks % 7 / n_samples)
    found = compared(ours, hundredths / 100, Decimal(tolerance) / 100)
    assert found.ours is not None
    assert str(found.ours) == f"{ours:.2f}"
    assert found.agrees is (abs(round(float(found.ours) * 100) - hundredths) <= tolerance)


@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"n_done": 10, "complete": False}, "10 of 50 samples"),
        ({"n_done": 49, "skipped": {"x": "no mask"}}, "1 broken sample left out"),
        ({"n_failed": 2}, "the model failed on 2 samples"),
        ({"n_samples": 49, "n_done": 49}, "49 samples instead of 50"),
        ({"n_samples": 60, "n_done": 60}, "60 samples instead of 50"),
    ],
)
def test_figures_of_other_samples_are_shown_but_not_compared(changes: dict[str, Any], why_not: str) -> None:
    found = compared(1.76, 1.76, **changes)
    assert found.agrees is None
    assert why_not in found.why_not
    assert str(found.ours) == "1.76"
    assert agreement([found], TOLERANCE) == "no figure could be compared"


def test_another_copy_of_a_dataset_whose_fingerprint_is_known_is_not_compared() -> None:
    from iiszoo.registry import registry

    card = next(card for card in registry().datasets.cards() if card.fingerprint and card.n_samples)
    facts = {"dataset": card.id, "n_samples": card.n_samples, "n_done": card.n_samples}
    assert compared(1.76, 1.76, **facts, provenance={"dataset": {"fingerprint": card.fingerprint}}).agrees
    other = compared(1.76, 1.76, **facts, provenance={"dataset": {"fingerprint": "0" * 64}})
    assert other.agrees is None
    assert "the fingerprint is 000" in other.why_not


def test_the_published_protocol_is_the_one_whose_figures_the_report_sets_beside_the_published_ones() -> None:
    """`table.published_beside` decides for any run; a run under these rules must pass for every published row."""
    from iiszoo.registry import resolve_model

    for row in published():
        rules = rules_of([row]).resolved(resolve_model(row.model)[0].threshold)
        run = summary_of(2.0, row.model, row.dataset, protocol=rules.as_json())
        assert table.published_beside(run, row.metric) == row


def test_a_session_until_the_higher_iou_answers_the_lower_one_too() -> None:
    row = Published("toy/a", "grabcut", "noc85", 2.0, "", "ritm")
    assert rules_of([row]).target_iou == 0.90
    assert rules_of([row]).name == "standard"
    higher = Published("toy/a", "grabcut", "noc95", 4.0, "", "ritm")
    assert rules_of([row, higher]).target_iou == 0.95
