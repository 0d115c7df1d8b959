"""IoU and the metrics of a run, against plain rules."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iiszoo.engine.metrics import iou, iou_at, noc, reached, seconds_per_click, summarise, summarise_times

SIZES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=7)
THRESHOLDS = st.sampled_from([0.49, 0.5, 0.3, 0.9])


def plain_iou(prediction, target, ignore, threshold):
    """RITM's `get_iou`, by numpy, in the type of the prediction."""
    mask = prediction > np.float32(threshold)
    valid = np.ones_like(target) if ignore is None else ~ignore
    either = ((mask | target) & valid).sum()
    return ((mask & target) & valid).sum() / either if either else 1.0


@st.composite
def scored(draw):
    """A prediction with many values at or beside the threshold, a target, ignored pixels or None, a threshold."""
    size = draw(SIZES)
    threshold = draw(THRESHOLDS)
    at = np.float32(threshold)
    near = [0.0, float(np.nextafter(at, np.float32(0))), float(at), float(np.nextafter(at, np.float32(1))), 1.0]
    prediction = draw(arrays.arrays(np.float32, size, elements=st.sampled_from(near)))
    target = draw(arrays.arrays(np.bool_, size))
    ignore = draw(st.none() | arrays.arrays(np.bool_, size))
    return prediction, target, ignore, threshold


@settings(max_examples=200, deadline=None)
@given(scored())
def test_iou_is_the_plain_rule(case):
    assert iou(*case) == plain_iou(*case)


@settings(max_examples=50, deadline=None)
@given(scored(), st.randoms())
def test_ignored_pixels_never_matter(case, rng):
    prediction, target, _, threshold = case
    ignore = np.array([rng.random() < 0.5 for _ in range(target.size)]).reshape(target.shape)
    other = prediction.copy()
    other[ignore] = 1 - other[ignore]
    assert iou(prediction, target, ignore, threshold) == iou(other, target ^ ignore, ignore, threshold)


def test_iou_of_arrays_that_do_not_lie_in_one_piece():
    rng = np.random.default_rng(0)
    prediction = rng.random((6, 9), np.float32)
    target = rng.random((9, 6)) > 0.5
    ignore = rng.random((6, 18)) > 0.7
    case = prediction, target.T, ignore[:, ::2]
    assert iou(*case) == plain_iou(*case, 0.5)


@pytest.mark.parametrize("ignore", [None, np.array([[True, False]])])
def test_nothing_wanted_and_nothing_predicted_is_perfect(ignore):
    empty = np.zeros((1, 2))
    assert iou(empty.astype(np.float32), empty.astype(bool), ignore) == 1.0


def test_where_all_that_differs_is_ignored_the_answer_is_perfect():
    prediction = np.array([[1, 0]], np.float32)
    assert iou(prediction, np.array([[False, False]]), np.array([[True, False]])) == 1.0


@pytest.mark.parametrize("threshold", [0.49, 0.5])
def test_a_pixel_exactly_at_the_threshold_is_background(threshold):
    target = np.ones((1, 2), bool)
    prediction = np.array([[threshold, np.nextafter(np.float32(threshold), np.float32(1))]], np.float32)
    assert iou(prediction, target, None, threshold) == 0.5


# what is computed from traces


def test_noc_is_the_first_click_that_reaches_the_target(trace):
    session = trace([0.3, 0.85, 0.8, 0.9])
    assert [noc(session, target, 20) for target in (0.3, 0.80, 0.85, 0.86, 0.90, 0.95)] == [1, 2, 2, 4, 4, 20]


def test_a_good_enough_initial_mask_needs_no_click(trace):
    session = trace([], initial_iou=0.92)
    assert noc(session, 0.90, 20) == 0
    assert noc(session, 0.95, 20) == 20
    results = summarise([session], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (0, 0, 0)
    assert results["iou"] == [0.92] * 21


def test_success_with_the_last_click_is_a_failure_as_ritm_counts_and_none_strictly(trace):
    late = trace([0.5] * 19 + [0.9])
    results = summarise([late], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 0)


def test_a_session_that_never_gets_there_is_a_failure_both_ways(trace):
    results = summarise([trace([0.89] * 20)], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 1)
    assert (results["noc85"], results["nof85"], results["nof85_strict"]) == (1, 0, 0)


def test_a_session_that_ran_out_of_errors_to_click_below_the_target_is_a_failure(trace):
    results = summarise([trace([0.5, 0.7])], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 1)
    assert results["iou"][2:] == [0.7] * 19


def test_a_session_that_the_model_failed_in_is_a_failure_whatever_it_had_reached(trace):
    failed = trace([0.97], initial_iou=0.97, error="model m raised ValueError")
    assert not reached(failed, 0.80)
    results = summarise([failed], 20, 0.95)
    for name in ("80", "85", "90", "95"):
        assert (results[f"noc{name}"], results[f"nof{name}"], results[f"nof{name}_strict"]) == (20, 1, 1)
    assert results["iou"] == [0.0] * 21


def test_iou_at_k_stays_at_the_last_answer_of_a_session_that_ended(trace):
    session = trace([0.4, 0.95], initial_iou=0.1)
    assert [iou_at(session, k) for k in range(5)] == [0.1, 0.4, 0.95, 0.95, 0.95]


def test_means_and_deviations_over_samples(trace):
    traces = [trace([0.9], 0), trace([0.5, 0.8, 0.91], 1), trace([0.2] * 5, 2)]
    results = summarise(traces, 5, 0.90)
    assert results["noc90"] == pytest.approx((1 + 3 + 5) / 3)
    assert results["noc90_std"] == pytest.approx(np.std([1, 3, 5]))
    assert results["noc80"] == pytest.approx((1 + 2 + 5) / 3)
    assert results["nof90"] == 1
    assert results["iou"] == pytest.approx(
        [0, (0.9 + 0.5 + 0.2) / 3, (0.9 + 0.8 + 0.2) / 3, *[(0.9 + 0.91 + 0.2) / 3] * 3]
    )


def test_the_order_of_traces_does_not_matter(trace):
    rng = random.Random(0)
    traces = [trace([rng.random() for _ in range(20)], i) for i in range(30)]
    shuffled = rng.sample(traces, len(traces))
    assert summarise(shuffled, 20, 0.90) == summarise(traces, 20, 0.90)


def test_a_target_above_the_one_that_sessions_end_at_is_not_known(trace):
    results = summarise([trace([0.96])], 20, 0.90)
    assert (results["noc95"], results["noc95_std"], results["nof95"], results["nof95_strict"]) == (None,) * 4
    assert results["noc90"] == 1
    assert summarise([trace([0.96])], 20, 0.95)["noc95"] == 1


def test_a_run_without_samples_has_no_metrics():
    results = summarise([], 3, 0.90)
    assert results["noc90"] is None
    assert results["iou"] == [None] * 4
    assert set(summarise_times([]).values()) == {None}


def test_seconds_per_click_counts_all_that_a_session_took(trace):
    a = trace([0.5, 0.9], model_seconds=[0.1, 0.3], robot_seconds=[0.01, 0.01], init_seconds=0.5, load_seconds=0.08)
    b = trace([0.9], 1, model_seconds=[0.2], robot_seconds=[0.0], init_seconds=0.2, load_seconds=0.0)
    assert seconds_per_click([a, b]) == pytest.approx((0.1 + 0.3 + 0.02 + 0.5 + 0.08 + 0.2 + 0.2) / 3)
    times = summarise_times([a, b])
    assert times["spc_seconds"] == pytest.approx(seconds_per_click([a, b]))
    assert times["model_ms_median"] == pytest.approx(200)
    assert times["robot_ms_median"] == pytest.approx(10)
    assert times["init_ms_median"] == pytest.approx(350)
