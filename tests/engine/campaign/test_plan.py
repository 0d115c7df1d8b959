"""When the segmenter is trained, and in which order images are annotated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.engine.campaign.plan import Plan, folds, order, stretches, trainings
from iiszoo.errors import BadOption


def test_dots_double_the_last_number() -> None:
    assert trainings("10,20,40,80,...", 484) == [10, 20, 40, 80, 160, 320]
    assert trainings("10, 20", 484) == [10, 20]
    assert trainings("10,...", 10) == []


@pytest.mark.parametrize("schedule", ["", "a", "10,5", "10,10", "1,2", "0", "...", "10;20", "10,...,20", "-3"])
def test_what_is_not_a_rising_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(BadOption, match="schedule"):
        Plan(schedule=schedule)


@pytest.mark.parametrize("values", [{"seeds": 0}, {"folds": 1}, {"folds": -1}, {"lag": -1}])
def test_impossible_plans_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(BadOption, match=next(iter(values)).rstrip("s")):
        Plan(**values)  # type: ignore[arg-type]


@given(st.lists(st.integers(2, 60), min_size=1, unique=True), st.integers(0, 20), st.integers(2, 80))
def test_stretches_cover_the_campaign_and_no_segmenter_knows_what_comes_later(points, lag, n) -> None:
    found = stretches(",".join(map(str, sorted(points))), lag, n)
    assert [i for one in found for i in range(one.begin, one.end)] == list(range(n))
    assert found[0].n_images == 0
    assert all(one.n_images + lag == one.begin for one in found[1:])


@given(st.integers(1, 60), st.integers(0, 5))
def test_an_order_is_one_of_all_images_and_repeats(n: int, seed: int) -> None:
    assert sorted(order(n, seed)) == list(range(n))
    assert order(n, seed) == order(n, seed)


def test_seeds_give_different_orders() -> None:
    assert len({tuple(order(30, seed)) for seed in range(5)}) == 5


@given(st.integers(2, 60), st.integers(2, 6))
def test_folds_are_even(n: int, k: int) -> None:
    sizes = [folds(n, k).count(fold) for fold in range(k)]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == n
