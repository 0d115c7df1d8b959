"""Clicks as people give them: right ones are kept as they are, all others refused by a sentence that says how."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiszoo.clicking.click_input import checked_clicks
from iiszoo.errors import BadOption

SIZE = (40, 60)
inside = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))


@given(st.lists(inside))
def test_clicks_inside_the_image_stay_what_they_are(clicks: list[tuple[int, int]]) -> None:
    for form in (clicks, tuple(clicks), [list(click) for click in clicks], np.array(clicks, np.int16).reshape(-1, 2)):
        found = checked_clicks(form, SIZE)
        assert found == clicks
        assert all(type(number) is int for click in found for number in click)


@given(st.integers(), st.integers())
def test_a_click_outside_is_refused_and_the_other_order_named_if_it_fits(row: int, col: int) -> None:
    if 0 <= row < SIZE[0] and 0 <= col < SIZE[1]:
        return
    with pytest.raises(BadOption) as error:
        checked_clicks([(row, col)], SIZE)
    sentence = str(error.value)
    assert f"click ({row}, {col}) lies outside the image of 40 rows and 60 columns" in sentence
    assert ("did you mean" in sentence) == (0 <= col < SIZE[0] and 0 <= row < SIZE[1])


@pytest.mark.parametrize(
    ("clicks", "sentence"),
    [
        ((12, 8), "positive must be a list of (row, col) pairs, such as [(120, 80)]; for one click write [(12, 8)]"),
        ([12, 8], "for one click write [(12, 8)]"),
        (np.array([12, 8]), "for one click write [(12, 8)]"),
        ([[(12, 8)]], "but contain [(12, 8)] (it is nested too deeply)"),
        ([[[(12, 8)]]], "(it is nested too deeply)"),
        (np.zeros((1, 2, 2), int), "(it is nested too deeply)"),
        (12, "must be a list of (row, col) pairs, such as [(120, 80)], not 12"),
        (None, "not None"),
        ("12,8", "not '12,8'"),
        ({"row": 12}, "not {'row': 12}"),
        ([(12, 8, 1)], "but contain (12, 8, 1)"),
        ([(12,)], "but contain (12,)"),
        ([12, 8, 3], "but contain 12"),
        (["ab"], "but contain 'ab'"),
        ([("12", "8")], "but contain ('12', '8')"),
        ([(True, False)], "but contain (True, False)"),
        ([(12.4, 8.0)], "click (12.4, 8.0) is not a whole pixel; write (12, 8)"),
        (np.array([[12.6, 8.2]]), "write (13, 8)"),
        ([(float("nan"), 8)], "click (nan, 8) is not a whole pixel"),
        ([(float("inf"), 8)], "click (inf, 8) is not a whole pixel"),
    ],
)
def test_another_form_is_refused_by_a_sentence_that_says_how(clicks: Any, sentence: str) -> None:
    with pytest.raises(BadOption) as error:
        checked_clicks(clicks, SIZE, "positive")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200
