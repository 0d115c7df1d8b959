"""Paired bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest

from iiszoo.engine.metrics.bootstrap import mean, saved

RNG = np.random.default_rng(0)
BASE = RNG.integers(1, 20, (3, 200)).astype(float)
ALL = np.ones(BASE.shape, bool)


def test_the_estimate_is_the_share_saved_over_what_is_counted() -> None:
    counted = RNG.random(BASE.shape) < 0.5
    arm = BASE * 0.5 + 1
    found = saved(BASE, arm, counted)
    assert found is not None
    assert found.value == pytest.approx(1 - arm[counted].sum() / BASE[counted].sum())
    assert found.low < found.value < found.high


def test_the_same_arm_saves_exactly_nothing() -> None:
    found = saved(BASE, BASE, ALL)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert not found.sure


def test_a_constant_factor_is_known_for_certain_since_the_images_are_paired() -> None:
    found = saved(BASE, 0.75 * BASE, ALL)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    unpaired = saved(BASE, 0.75 * RNG.permuted(BASE, axis=1), ALL)
    assert unpaired.high - unpaired.low > 0.05


def test_intervals_repeat() -> None:
    arm = RNG.permuted(BASE, axis=1)
    assert saved(BASE, arm, ALL) == saved(BASE, arm, ALL)


def test_more_images_narrow_an_interval_and_seeds_that_differ_widen_it() -> None:
    noise = 1 + 0.5 * RNG.standard_normal(BASE.shape)
    few, many = (saved(BASE[:, :n], (BASE * noise)[:, :n], ALL[:, :n]) for n in (20, 200))
    assert few.high - few.low > 1.5 * (many.high - many.low)
    apart = BASE * np.array([[0.5], [0.9], [1.3]])
    alike = BASE * 0.9
    wide, narrow = saved(BASE, apart, ALL), saved(BASE, alike, ALL)
    assert wide.high - wide.low > narrow.high - narrow.low + 0.2


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(40):
        rng = np.random.default_rng(trial)
        base = rng.integers(1, 20, (1, 80)).astype(float)
        arm = np.maximum(0, base * 0.7 + rng.normal(0, 2, base.shape))
        truth = 0.3
        found = saved(base, arm, np.ones(base.shape, bool))
        hits += found.low - 0.01 <= truth <= found.high + 0.01
    assert hits >= 34


def test_nothing_to_save_is_none() -> None:
    assert saved(np.zeros((1, 4)), np.ones((1, 4)), np.ones((1, 4), bool)) is None


def test_the_interval_of_a_mean_is_that_of_drawing_samples_one_by_one() -> None:
    values = RNG.integers(1, 21, 120).astype(float)
    found = mean(values)
    drawn = RNG.choice(values, (20_000, len(values))).mean(axis=1)
    assert found is not None
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.08)
    assert mean(RNG.permutation(values)) == found


def test_any_number_has_an_interval_but_a_single_sample_none() -> None:
    values = RNG.random(1000)
    found = mean(values)
    assert found.low < values.mean() < found.high < found.low + 0.05
    assert mean(values[:1]) is None
    assert mean(values[:0]) is None
    certain = mean(np.zeros(10))
    assert (certain.low, certain.high, certain.sure) == (0, 0, False)
