"""Boundary IoU, and the scoring of every click, against the published rule by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iiszoo.engine.metrics import boundary_width, definitions, iou, prepare, score

FULL = (480, 854)
SIZES = st.integers(1, 140)


def plain_boundary(mask, width):
    """The mask's pixels that are gone after `width` erosions by 3 x 3, one pixel of nothing round the image."""
    padded = np.pad(mask, 1).astype(np.uint8)
    for _ in range(width):
        padded = cv2.erode(padded, np.ones((3, 3), np.uint8))
    return mask & (padded[1:-1, 1:-1] == 0)


def plain_boundary_iou(prediction, target, ignore, threshold, ratio):
    counted = np.ones_like(target) if ignore is None else ~ignore
    width = max(round(ratio * np.sqrt(target.shape[0] ** 2 + target.shape[1] ** 2)), 1)
    one = plain_boundary((prediction > np.float32(threshold)) & counted, width)
    other = plain_boundary(target & counted, width)
    either = (one | other).sum()
    return (one & other).sum() / either if either else 1.0


def boundary_iou(prediction, target, ignore=None, threshold=0.5, *, dilation_ratio=0.02):
    """The definition's value, which the fast version must give too."""
    value = definitions.boundary_iou(prediction, target, ignore, threshold, dilation_ratio=dilation_ratio)
    assert score(prediction, prepare(target, ignore, dilation_ratio), threshold).boundary_iou == value
    return value


def blob(rng, size, density):
    """A mask: single pixels, or, smoothed, regions with an inside; nearly all or nearly nothing at the extremes."""
    values = rng.random(size, np.float32)
    smooth = rng.choice([0.0, 1.0, 3.0])
    if smooth:
        values = cv2.GaussianBlur(values, (0, 0), smooth)
    return values < np.quantile(values, density)


@st.composite
def scored(draw, sizes=SIZES):
    size = (draw(sizes), draw(sizes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    densities = st.sampled_from([0.0, 0.3, 0.9, 0.99, 0.999, 1.0])
    threshold = draw(st.sampled_from([0.49, 0.5]))
    above = np.nextafter(np.float32(threshold), np.float32(1))
    prediction = np.where(blob(rng, size, draw(densities)), above, np.float32(threshold))
    target = blob(rng, size, draw(densities)) if draw(st.booleans()) else prediction > np.float32(0.5)
    ignore = blob(rng, size, draw(st.sampled_from([0.01, 0.3, 1.0]))) if draw(st.booleans()) else None
    return prediction, target, ignore, threshold


@settings(max_examples=250, deadline=None)
@given(scored(), st.sampled_from([0.02, 0.02, 0.005, 0.1, 0.5]))
def test_boundary_iou_is_the_plain_rule(case, ratio):
    expected = plain_boundary_iou(*case, ratio)
    assert boundary_iou(*case, dilation_ratio=ratio) == expected


@settings(max_examples=60, deadline=None)
@given(scored(st.sampled_from([1, 2, 7, 8, 9, 63, 64, 65, 127, 128])), st.sampled_from([0.02, 0.1]))
def test_boundary_iou_at_the_edges_of_bytes_and_words(case, ratio):
    assert boundary_iou(*case, dilation_ratio=ratio) == plain_boundary_iou(*case, ratio)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32))
@example(1, 1, 1, 0)
@example(9, 1, 1, 0)
@example(41, 41, 20, 0)
@example(60, 60, 8, 0)
@example(60, 60, 16, 0)
def test_the_boundary_of_a_target_is_the_plain_one_at_every_width(height, width, radius, seed):
    target = blob(np.random.default_rng(seed), (height, width), 0.995)
    prepared = prepare(target, dilation_ratio=(radius + 0.25) / np.hypot(height, width))
    assert prepared.radius == radius
    rows_of_bytes = prepared.boundary.view(np.uint8).reshape((height + 7) // 8, -1)
    bits = np.unpackbits(rows_of_bytes, axis=0, bitorder="little").astype(bool)
    np.testing.assert_array_equal(bits[:height, :width], plain_boundary(target, radius))
    assert not bits[height:].any()
    assert not bits[:, width:].any()


def test_frames_of_full_size_have_the_plain_boundary_iou():
    rng = np.random.default_rng(0)
    smooth = [cv2.GaussianBlur(rng.standard_normal(FULL).astype(np.float32), (0, 0), 40) for _ in range(3)]
    prediction = np.clip(0.5 + 20 * smooth[0], 0, 1)
    target, ignore = smooth[0] + 0.3 * smooth[1] > 0, abs(smooth[2]) < 0.0005
    for case in ((prediction, target, None, 0.49), (prediction, target, ignore, 0.5)):
        assert boundary_iou(*case) == plain_boundary_iou(*case, 0.02)
        assert 0 < boundary_iou(*case) < iou(*case) < 1


@settings(max_examples=100, deadline=None)
@given(scored())
def test_a_prepared_target_gives_both_metrics(case):
    prediction, target, ignore, threshold = case
    scores = score(prediction, prepare(target, ignore), threshold)
    assert scores == (iou(*case), boundary_iou(*case), True)
    assert score(target.astype(np.float32), prepare(target, ignore))[:2] == (1, 1)


@pytest.mark.parametrize(
    ("size", "width"),
    [((1, 1), 1), ((1, 50), 1), ((45, 60), 2), ((75, 100), 2), ((480, 640), 16), (FULL, 20), ((1080, 1920), 44)],
)
def test_the_width_is_two_percent_of_the_diagonal(size, width):
    """... rounded to even where it lies half way: 45 x 60 has 1.5, 75 x 100 has 2.5."""
    assert boundary_width(*size) == width


def test_by_hand_squares_of_a_known_boundary():
    """9 x 9 and 5 x 5 about one centre, 1 pixel wide: rings of 32 and of 16 pixels that do not meet."""
    outer, inner = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    outer[5:14, 5:14], inner[7:12, 7:12] = True, True
    assert boundary_width(20, 20) == 1
    assert boundary_iou(outer, inner) == 0
    assert boundary_iou(outer, outer ^ inner) == 32 / (32 + 24)  # the hole's ring is part of the target's boundary
    assert iou(outer, outer ^ inner) == 56 / 81


def test_the_border_of_the_image_counts_as_a_border():
    everything = np.ones((20, 20), bool)
    inside = everything.copy()
    inside[9, 9] = False
    assert boundary_iou(everything, inside) == 76 / (76 + 8)


def test_a_prediction_that_is_wrong_only_where_it_is_ignored_is_perfect():
    """The band of GrabCut: the target ends at it, the prediction somewhere within it."""
    target, ignore, prediction = (np.zeros((100, 100), bool) for _ in range(3))
    target[30:70, 30:70] = True
    ignore[25:75, 25:75] = True
    ignore &= ~target
    prediction[28:72, 27:74] = True
    assert boundary_iou(prediction, target) < 1
    assert boundary_iou(prediction, target, ignore) == 1


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (4, 70), (8, 69), (8, 70)])
def test_a_value_that_is_no_probability_is_noticed_wherever_it_is(value, at):
    prediction = np.linspace(0, 1, 9 * 71, dtype=np.float32).reshape(9, 71)
    target = prepare(np.ones((9, 71), bool))
    assert score(prediction, target).sound
    prediction[at] = value
    assert not score(prediction, target).sound


def test_arrays_that_do_not_lie_in_one_piece_and_stay_as_they_are():
    rng = np.random.default_rng(0)
    prediction, target, ignore = (
        rng.random((40, 30), np.float32),
        rng.random((30, 40)) > 0.1,
        rng.random((40, 60)) > 0.9,
    )
    case = prediction, target.T, ignore[:, ::2]
    copies = [array.copy() for array in case]
    assert boundary_iou(*case) == plain_boundary_iou(*case, 0.5, 0.02)
    for array, copy in zip(case, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_what_is_no_mask_of_rows_and_columns_is_refused():
    with pytest.raises(ValueError, match="must be"):
        prepare(np.zeros((1, 2, 3), bool))
    with pytest.raises(ValueError, match="one shape"):
        score(np.zeros((2, 2), np.float32), prepare(np.zeros((2, 3), bool)))
