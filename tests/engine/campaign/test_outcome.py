"""What came of a campaign, from traces made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iiszoo.engine.campaign.cost_model import CostModel
from iiszoo.engine.campaign.outcome import ALONE, CHOICE, ORACLE, outcome
from iiszoo.engine.campaign.plan import CONTINUAL, SCRATCH
from iiszoo.engine.campaign.results import answer, savings
from iiszoo.engine.runs.trace import Trace

COST = CostModel("test", click=2.0, first_look=1.0, review=3.0, change=0.5, source="by hand")


def session(i: int, n_clicks: int, last: float, initial: float = 0.0, proposal: dict | None = None) -> Trace:
    clicks = [[[0, 0, 1]]] * n_clicks
    iou = [0.1] * (n_clicks - 1) + [last] if n_clicks else []
    return Trace(f"s{i}", i, [4, 4], initial, iou, clicks, proposal=proposal)


def proposal(confidence: float, checkpoint: str = "m", seconds: float = 0.0) -> dict:
    return {"checkpoint": checkpoint, "n_images": 2, "confidence": confidence, "empty": False, "mask": "",
            "predict_seconds": 0.1, "training_seconds": seconds, "test_iou": None}  # fmt: skip


def found(continual: list[Trace], lag: int = 0, schedule: str = "2"):
    scratch = [session(i, 4, 0.95) for i in range(4)]
    return outcome({SCRATCH: [scratch], CONTINUAL: [continual]}, [[0, 1, 2, 3]], COST, target_iou=0.9, max_clicks=20,
                   schedule=schedule, lag=lag, choose_above=0.5)  # fmt: skip


def test_seconds_count_the_look_the_clicks_the_review_and_the_change_of_image() -> None:
    got = found([session(0, 4, 0.95), session(1, 4, 0.95),
                 session(2, 1, 0.92, 0.7, proposal(0.9)), session(3, 6, 0.8, 0.1, proposal(0.2))])  # fmt: skip
    assert got.arms[SCRATCH].seconds[0].tolist() == [9.5] * 4
    assert got.arms[CONTINUAL].seconds[0].tolist() == [9.5, 9.5, 0.5 + 3 + 2, 0.5 + 3 + 12]
    assert got.arms[CONTINUAL].at_target[0].tolist() == [True, True, True, False]


def test_the_choice_follows_the_confidence_and_the_oracle_bounds_it() -> None:
    got = found([session(0, 4, 0.95), session(1, 4, 0.95),
                 session(2, 1, 0.92, 0.7, proposal(0.9)), session(3, 6, 0.8, 0.1, proposal(0.2))])  # fmt: skip
    assert got.arms[CHOICE].clicks[0].tolist() == [4, 4, 1, 4]
    assert got.arms[ORACLE].clicks[0].tolist() == [4, 4, 1, 4]
    for arm in (SCRATCH, CONTINUAL, CHOICE):
        assert (got.arms[ORACLE].clicks <= got.arms[arm].clicks).all()
        assert (got.arms[ORACLE].seconds <= got.arms[arm].seconds).all()
    assert got.arms[ORACLE].at_target.all()


def test_m_alone_has_a_mask_only_where_its_proposal_reaches_the_target() -> None:
    got = found([session(0, 4, 0.95), session(1, 4, 0.95),
                 session(2, 0, 0.0, 0.93, proposal(0.9)), session(3, 6, 0.8, 0.1, proposal(0.9))])  # fmt: skip
    alone = got.arms[ALONE]
    assert alone.clicks.sum() == 0
    assert alone.seconds[0].tolist() == [0, 0, 3.5, 3.5]
    assert alone.at_target[0].tolist() == [False, False, True, False]
    assert alone.iou[0].tolist() == [0, 0, 0.93, 0]


def test_a_person_waits_for_the_training_or_for_what_the_lag_leaves_of_it() -> None:
    late = proposal(0.9, seconds=12.0)
    now = found(
        [session(0, 4, 0.95), session(1, 4, 0.95), session(2, 1, 0.95, 0.5, late), session(3, 1, 0.95, 0.5, late)]
    )
    assert now.arms[CONTINUAL].wait[0].tolist() == [0, 0, 12.0, 0]
    lagged = found(
        [session(0, 4, 0.95), session(1, 4, 0.95), session(2, 4, 0.95), session(3, 1, 0.95, 0.5, late)], lag=1
    )
    assert lagged.arms[CONTINUAL].wait[0].tolist() == [0, 0, 0, 12.0 - 9.5]


def test_a_failed_session_counts_all_clicks() -> None:
    broken = Trace("s2", 2, [4, 4], error="it raised")
    got = found([session(0, 4, 0.95), session(1, 4, 0.95), broken, session(3, 4, 0.95)])
    assert got.arms[CONTINUAL].clicks[0, 2] == 20
    assert not got.arms[CONTINUAL].at_target[0, 2]


def test_the_answer_is_one_sentence() -> None:
    def of(n_clicks: int) -> str:
        known = [session(i, 4, 0.95) for i in range(2)]
        known += [session(i, n_clicks, 0.95, 0.5, proposal(0.9)) for i in (2, 3)]
        return answer("geocut", found(known), CONTINUAL)

    assert of(3) == "with geocut, M saves 25 % (25 to 25) of the clicks from image 3 on"
    assert of(5) == "with geocut, M costs 25 % (25 to 25) more clicks from image 3 on"
    assert of(4).startswith(
        "with geocut, it is open whether M saves clicks: 0 % (0 to 0) of the clicks from image 3 on"
    )
    none = found([session(i, 4, 0.95) for i in range(4)], schedule="4")
    assert answer("geocut", none, CONTINUAL) == "with geocut, the campaign ended before M was trained"


def test_savings_are_told_from_each_training_on() -> None:
    half = [session(i, 2, 0.95, 0.5, proposal(0.9)) for i in (2, 3)]
    rows = savings(found([session(0, 4, 0.95), session(1, 4, 0.95), *half]))
    known = {(row["arm"], row["from_image"]): row["clicks"]["value"] for row in rows}
    assert known[CONTINUAL, 1] == pytest.approx(0.25)
    assert known[CONTINUAL, 3] == pytest.approx(0.5)


def test_curves_are_by_place_in_the_order() -> None:
    scratch = [session(i, i, 0.95) for i in range(4)]
    got = outcome({SCRATCH: [scratch]}, [[3, 2, 1, 0], [0, 1, 2, 3]], COST, target_iou=0.9, max_clicks=20, schedule="2",
                  lag=0, choose_above=0.5)  # fmt: skip
    assert got.positions.tolist() == [[3, 2, 1, 0], [0, 1, 2, 3]]
    assert np.isnan(got.proposal_iou).all()
