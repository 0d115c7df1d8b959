"""Metrics of a prediction against plain formulas, pixel by pixel, and metrics of a run's traces."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iiszoo.engine import metrics
from iiszoo.engine.metrics import (
    area_under_curve,
    boundary_iou_at,
    confusion,
    dice,
    f_beta,
    iou,
    iou_at,
    mae,
    metrics_of,
    mse,
    noc,
    pixel_accuracy,
    precision,
    reached,
    recall,
    seconds_per_click,
    times_of,
)

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


def plain_counts(prediction, target, ignore, threshold):
    """TP, FP, FN, TN, one pixel after the other."""
    counts = {(p, t): 0 for p in (True, False) for t in (True, False)}
    for at in np.ndindex(target.shape):
        if ignore is None or not ignore[at]:
            counts[bool(prediction[at] > np.float32(threshold)), bool(target[at])] += 1
    return counts[True, True], counts[True, False], counts[False, True], counts[False, False]


@settings(max_examples=200, deadline=None)
@given(scored(), st.sampled_from([0.3, 0.5, 1.0, 2.0]))
def test_ratios_of_right_and_wrong_pixels_are_the_plain_formulas(case, beta):
    tp, fp, fn, tn = plain_counts(*case)
    assert confusion(*case) == (tp, fp, fn, tn)
    assert iou(*case) == (tp / (tp + fp + fn) if tp + fp + fn else 1)
    assert dice(*case) == (2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1)
    assert precision(*case) == (tp / (tp + fp) if tp + fp else fn == 0)
    assert recall(*case) == (tp / (tp + fn) if tp + fn else fp == 0)
    assert pixel_accuracy(*case) == ((tp + tn) / (tp + fp + fn + tn) if tp + fp + fn + tn else 1)
    p, r = precision(*case), recall(*case)
    weighted = (1 + beta**2) * p * r / (beta**2 * p + r) if p * r else 0
    assert f_beta(*case, beta=beta) == pytest.approx(weighted)
    assert f_beta(*case) == dice(*case) == pytest.approx(2 * iou(*case) / (1 + iou(*case)))


@settings(max_examples=100, deadline=None)
@given(scored())
def test_errors_of_probabilities_are_the_plain_means(case):
    prediction, target, ignore, _ = case
    errors = [
        abs(float(prediction[at]) - float(target[at]))
        for at in np.ndindex(target.shape)
        if ignore is None or not ignore[at]
    ]
    assert mae(prediction, target, ignore) == pytest.approx(statistics.fmean(errors) if errors else 0)
    assert mse(prediction, target, ignore) == pytest.approx(statistics.fmean(e * e for e in errors) if errors else 0)


def test_a_known_case_by_hand():
    prediction = np.array([[0.9, 0.8, 0.6], [0.1, 0.2, 0.7]], np.float32)
    target = np.array([[True, True, False], [True, False, False]])
    case = prediction, target
    assert confusion(*case) == (2, 2, 1, 1)
    assert (iou(*case), precision(*case), recall(*case)) == (2 / 5, 1 / 2, 2 / 3)
    assert (dice(*case), f_beta(*case, beta=2), pixel_accuracy(*case)) == (4 / 7, 10 / 16, 1 / 2)
    assert mae(*case) == pytest.approx((0.1 + 0.2 + 0.6 + 0.9 + 0.2 + 0.7) / 6)
    assert mse(*case) == pytest.approx((0.01 + 0.04 + 0.36 + 0.81 + 0.04 + 0.49) / 6)
    ignore = np.array([[False, False, True], [True, False, True]])
    assert confusion(*case, ignore) == (2, 0, 0, 1)
    assert mae(*case, ignore) == pytest.approx((0.1 + 0.2 + 0.2) / 3)


RATIOS = [iou, dice, precision, recall, f_beta, pixel_accuracy, metrics.boundary_iou]


@pytest.mark.parametrize("metric", RATIOS)
def test_a_mask_may_stand_for_a_prediction(metric):
    rng = np.random.default_rng(0)
    mask, target = rng.random((2, 9, 11)) > 0.5
    assert metric(mask, target) == metric(mask.astype(np.float32), target)


@pytest.mark.parametrize("metric", RATIOS)
def test_a_right_answer_has_one(metric):
    target = np.random.default_rng(0).random((9, 11)) > 0.5
    assert metric(target.astype(np.float32), target) == 1


@pytest.mark.parametrize("metric", RATIOS)
@pytest.mark.parametrize("ignored", [False, True])
def test_nothing_wanted_and_nothing_predicted_has_one(metric, ignored):
    """... and so has a sample of which nothing counts, whatever is predicted."""
    prediction = np.full((2, 3), 0.9 if ignored else 0.1, np.float32)
    assert metric(prediction, np.zeros((2, 3), bool), np.full((2, 3), ignored)) == 1


@pytest.mark.parametrize("metric", [iou, dice, precision, recall, f_beta, metrics.boundary_iou])
@pytest.mark.parametrize("wanted", [False, True])
def test_something_against_nothing_has_zero(metric, wanted):
    prediction = np.full((2, 3), 0.1 if wanted else 0.9, np.float32)
    assert metric(prediction, np.full((2, 3), wanted)) == 0


def test_where_nothing_counts_there_is_no_error():
    case = np.ones((2, 3), np.float32), np.zeros((2, 3), bool), np.ones((2, 3), bool)
    assert mae(*case) == mse(*case) == 0


@pytest.mark.parametrize("metric", [*RATIOS, mae, mse])
def test_shapes_that_differ_are_refused(metric):
    with pytest.raises(ValueError, match="shape"):
        metric(np.zeros((2, 3), np.float32), np.zeros((3, 2), bool))
    with pytest.raises(ValueError, match="shape"):
        metric(np.zeros((2, 3), np.float32), np.zeros((2, 3), bool), np.zeros((1, 3), bool))


def test_a_beta_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        f_beta(np.zeros((1, 1), np.float32), np.zeros((1, 1), bool), beta=0)


@settings(max_examples=50, deadline=None)
@given(scored(), st.randoms())
def test_ignored_pixels_never_matter(case, rng):
    prediction, target, _, threshold = case
    ignore = np.array([rng.random() < 0.5 for _ in range(target.size)]).reshape(target.shape)
    other = prediction.copy()
    other[ignore] = 1 - other[ignore]
    for metric in RATIOS:
        assert metric(prediction, target, ignore, threshold) == metric(other, target ^ ignore, ignore, threshold)
    for metric in (mae, mse):
        assert metric(prediction, target, ignore) == metric(other, target ^ ignore, ignore)


def test_iou_of_arrays_that_do_not_lie_in_one_piece():
    rng = np.random.default_rng(0)
    prediction = rng.random((6, 9), np.float32)
    target = rng.random((9, 6)) > 0.5
    ignore = rng.random((6, 18)) > 0.7
    case = prediction, target.T, ignore[:, ::2]
    assert iou(*case) == plain_iou(*case, 0.5)


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
    results = metrics_of([session], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (0, 0, 0)
    assert results["iou"] == [0.92] * 21


def test_success_with_the_last_click_is_a_failure_as_ritm_counts_and_none_strictly(trace):
    late = trace([0.5] * 19 + [0.9])
    results = metrics_of([late], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 0)


def test_a_session_that_never_gets_there_is_a_failure_both_ways(trace):
    results = metrics_of([trace([0.89] * 20)], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 1)
    assert (results["noc85"], results["nof85"], results["nof85_strict"]) == (1, 0, 0)


def test_a_session_that_ran_out_of_errors_to_click_below_the_target_is_a_failure(trace):
    results = metrics_of([trace([0.5, 0.7])], 20, 0.90)
    assert (results["noc90"], results["nof90"], results["nof90_strict"]) == (20, 1, 1)
    assert results["iou"][2:] == [0.7] * 19


def test_a_session_that_the_model_failed_in_is_a_failure_whatever_it_had_reached(trace):
    failed = trace([0.97], initial_iou=0.97, error="model m raised ValueError")
    assert not reached(failed, 0.80)
    results = metrics_of([failed], 20, 0.95)
    for name in ("80", "85", "90", "95"):
        assert (results[f"noc{name}"], results[f"nof{name}"], results[f"nof{name}_strict"]) == (20, 1, 1)
    assert results["iou"] == [0.0] * 21


def test_iou_at_k_stays_at_the_last_answer_of_a_session_that_ended(trace):
    session = trace([0.4, 0.95], initial_iou=0.1)
    assert [iou_at(session, k) for k in range(5)] == [0.1, 0.4, 0.95, 0.95, 0.95]


def test_means_and_deviations_over_samples(trace):
    traces = [trace([0.9], 0), trace([0.5, 0.8, 0.91], 1), trace([0.2] * 5, 2)]
    results = metrics_of(traces, 5, 0.90)
    assert results["noc90"] == pytest.approx((1 + 3 + 5) / 3)
    assert results["noc90_std"] == pytest.approx(np.std([1, 3, 5]))
    assert results["noc80"] == pytest.approx((1 + 2 + 5) / 3)
    assert results["nof90"] == 1
    assert results["iou"] == pytest.approx(
        [0, (0.9 + 0.5 + 0.2) / 3, (0.9 + 0.8 + 0.2) / 3, *[(0.9 + 0.91 + 0.2) / 3] * 3]
    )


def test_the_order_of_traces_does_not_matter(trace):
    rng = random.Random(0)

    def values():
        return [rng.random() for _ in range(20)]

    traces = [trace(values(), i, initial_boundary_iou=rng.random(), boundary_iou=values()) for i in range(30)]
    shuffled = rng.sample(traces, len(traces))
    assert metrics_of(shuffled, 20, 0.90) == metrics_of(traces, 20, 0.90)
    assert times_of(shuffled) == times_of(traces)


def test_the_area_under_the_curve_is_the_mean_over_clicks_of_the_mean_iou(trace):
    ended = trace([0.4, 0.95], 0, initial_iou=0.3)
    whole = trace([0.1, 0.2, 0.3, 0.4], 1)
    area = metrics_of([ended, whole], 4, 0.95)["auc"]
    assert area == pytest.approx(((0.4 + 0.95 + 0.95 + 0.95) + (0.1 + 0.2 + 0.3 + 0.4)) / 8)


def test_the_area_lies_between_nothing_and_everything_right_at_once(trace):
    assert metrics_of([trace([1.0])], 20, 0.9)["auc"] == 1
    assert metrics_of([trace([], initial_iou=0.92)], 20, 0.9)["auc"] == pytest.approx(0.92)
    assert metrics_of([trace([0.0] * 20, initial_iou=0.8)], 20, 0.9)["auc"] == 0
    assert metrics_of([trace([0.9], error="model m raised ValueError")], 20, 0.9)["auc"] == 0
    assert metrics_of([trace([0.7])], 1, 0.9)["auc"] == 0.7
    assert area_under_curve([None, None]) is None


def test_boundary_iou_after_clicks_stays_at_the_last_answer_of_a_session_that_ended(trace):
    session = trace([0.4, 0.95], initial_boundary_iou=0.1, boundary_iou=[0.2, 0.6])
    assert [boundary_iou_at(session, k) for k in range(5)] == [0.1, 0.2, 0.6, 0.6, 0.6]
    good = trace([], 1, initial_iou=0.92, initial_boundary_iou=0.5)
    failed = trace([0.9], 2, initial_boundary_iou=0.5, boundary_iou=[0.9], error="model m raised ValueError")
    assert metrics_of([session, good, failed], 3, 0.9)["boundary_iou"] == pytest.approx(
        [(0.1 + 0.5) / 3, (0.2 + 0.5) / 3, (0.6 + 0.5) / 3, (0.6 + 0.5) / 3]
    )


def test_a_run_with_traces_from_before_boundary_iou_was_measured_has_no_mean_of_it(trace):
    new = [trace([0.5, 0.9], i, initial_boundary_iou=0.0, boundary_iou=[0.2, 0.6]) for i in range(3)]
    old = trace([0.5, 0.9], 3)
    assert boundary_iou_at(old, 1) is None
    assert metrics_of([*new, old], 2, 0.9)["boundary_iou"] == [None] * 3
    assert metrics_of(new, 2, 0.9)["boundary_iou"] == pytest.approx([0.0, 0.2, 0.6])
    assert metrics_of([*new, old], 2, 0.9)["iou"] == pytest.approx([0.0, 0.5, 0.9])


def test_a_target_above_the_one_that_sessions_end_at_is_not_known(trace):
    results = metrics_of([trace([0.96])], 20, 0.90)
    assert (results["noc95"], results["noc95_std"], results["nof95"], results["nof95_strict"]) == (None,) * 4
    assert results["noc90"] == 1
    assert metrics_of([trace([0.96])], 20, 0.95)["noc95"] == 1


def test_a_run_without_samples_has_no_metrics():
    results = metrics_of([], 3, 0.90)
    assert results["noc90"] is None
    assert results["iou"] == results["boundary_iou"] == [None] * 4
    assert results["auc"] is None
    assert set(times_of([]).values()) == {None}


def test_seconds_per_click_counts_all_that_a_session_took(trace):
    a = trace([0.5, 0.9], model_seconds=[0.1, 0.3], robot_seconds=[0.01, 0.01], init_seconds=0.5, load_seconds=0.08)
    b = trace([0.9], 1, model_seconds=[0.2], robot_seconds=[0.0], init_seconds=0.2, load_seconds=0.0)
    assert seconds_per_click([a, b]) == pytest.approx((0.1 + 0.3 + 0.02 + 0.5 + 0.08 + 0.2 + 0.2) / 3)
    times = times_of([a, b])
    assert times["spc_seconds"] == pytest.approx(seconds_per_click([a, b]))
    assert times["model_ms_median"] == pytest.approx(200)
    assert times["robot_ms_median"] == pytest.approx(10)
    assert times["init_ms_median"] == pytest.approx(350)
