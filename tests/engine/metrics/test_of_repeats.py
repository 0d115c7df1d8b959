"""Robustness to who clicks, by its definition in RClicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iiszoo.engine.metrics import of_repeats

RUNS = arrays(np.float64, (3, 4), elements=st.integers(1, 20))


def test_by_hand():
    clicks = np.array([[2.0, 4.0], [4.0, 4.0], [6.0, 10.0]])
    assert of_repeats.noise_to_signal(clicks) == pytest.approx((np.sqrt(8 / 3) / 4 + np.sqrt(8) / 6) / 2)
    assert of_repeats.worst_beside_best(clicks) == (2 + 1.5) / 2
    assert of_repeats.beside_base(clicks, np.array([2.0, 3.0])) == (1 + 1) / 2
    assert of_repeats.mean_and_spread(clicks[:2]) == (3.5, 0.5)


@given(RUNS)
def test_runs_that_agree_are_robust_and_order_and_scale_do_not_matter(clicks):
    alike = np.tile(clicks[0], (3, 1))
    assert of_repeats.noise_to_signal(alike) == of_repeats.worst_beside_best(alike) == 0
    assert of_repeats.beside_base(alike, clicks[0]) == 0
    assert of_repeats.noise_to_signal(2 * clicks[::-1]) == pytest.approx(of_repeats.noise_to_signal(clicks))
    assert of_repeats.beside_base(2 * clicks[::-1], 2 * clicks[1]) == pytest.approx(
        of_repeats.beside_base(clicks, clicks[1])
    )


def test_samples_that_need_nothing_have_no_ratio():
    assert of_repeats.beside_base(np.array([[1.0, 4.0]]), np.array([0.0, 2.0])) == 1
    assert of_repeats.beside_base(np.ones((2, 1)), np.zeros(1)) is None
    assert of_repeats.noise_to_signal(np.array([[0.0, 1.0], [0.0, 1.0]])) == 0
