"""The difference of two runs: paired, with an interval, and in each sample."""

from __future__ import annotations

import numpy as np
import pytest

from iiszoo.engine.comparison.pairs import Goal, noc_intervals, pair
from iiszoo.engine.comparison.plain import as_values, pair_values
from iiszoo.engine.comparison.rankings import rankings
from iiszoo.engine.comparison.repeats import repeats
from iiszoo.engine.report.repeats import tables
from iiszoo.errors import RunError

RNG = np.random.default_rng(3)
CLICKS = [int(n) for n in RNG.integers(1, 18, 200)]


def test_wins_ties_and_losses_are_those_of_a(run):
    found = pair(run("toy/a", [2, 5, 5, 9]), run("toy/b", [3, 5, 6, 4]))
    assert (found.wins, found.ties, found.losses, found.n) == (2, 1, 1, 4)
    assert (found.noc_a, found.noc_b) == (5.25, 4.5)
    assert found.difference.value == -0.75
    assert [one.sample for one in found.samples[:1]] == ["s3"]


def test_a_sample_that_never_reached_the_goal_counts_as_all_clicks_and_says_so(run):
    found = pair(run("toy/a", [20]), run("toy/b", [3]))
    (one,) = found.samples
    assert (one.noc_a, one.reached_a, one.noc_b, one.reached_b) == (20, False, 3, True)
    assert found.difference is None, "one sample says nothing of others"
    assert not found.distinguishable


def test_one_click_more_in_every_sample_is_certain_since_samples_are_paired(run):
    found = pair(run("toy/a", CLICKS), run("toy/b", [n + 1 for n in CLICKS]))
    assert (found.difference.low, found.difference.high) == (1, 1)
    assert found.distinguishable
    shuffled = [int(n) for n in RNG.permutation(CLICKS)]
    assert not pair(run("toy/a", CLICKS), run("toy/b", shuffled)).distinguishable


def test_the_goal_is_what_both_can_be_judged_by(run):
    a, b = run("toy/a", [3], target_iou=0.95), run("toy/b", [4], target_iou=0.85, max_clicks=10)
    assert pair(a, b).goal == Goal(0.85, 10)
    assert pair(a, b, Goal(0.5, 20)).noc_a == 1


def test_runs_on_different_data_are_refused(run):
    with pytest.raises(RunError, match="runs on different data"):
        pair(run("toy/a", [3]), run("toy/b", [4], fingerprint="0" * 64))
    with pytest.raises(RunError, match="no sample in common"):
        pair(run("toy/a", {0: 3}), run("toy/b", {1: 4}))


def test_intervals_are_given_for_every_iou_that_sessions_go_up_to(run):
    found = noc_intervals(run("toy/a", CLICKS))
    assert sorted(found) == ["noc80", "noc85", "noc90"]
    assert found["noc90"].low < np.mean(CLICKS) == found["noc90"].value < found["noc90"].high
    assert noc_intervals(run("toy/a", [3])) == {}


def test_a_ranking_begins_with_the_best_and_has_every_pair(run):
    results = [run("toy/c", [n + 2 for n in CLICKS]), run("toy/a", CLICKS), run("toy/b", [n + 1 for n in CLICKS])]
    (found,) = rankings(results)
    assert [row.run for row in found.rows] == [1, 2, 0]
    assert found.rows[0].beside_best is None
    assert [row.beside_best.difference.value for row in found.rows[1:]] == [1, 2]
    assert [(a, b) for a, b, _ in found.pairs] == [(1, 2), (1, 0), (2, 0)]


def test_one_run_alone_or_on_other_samples_is_not_ranked(run):
    assert rankings([run("toy/a", [3])]) == []
    assert rankings([run("toy/a", {0: 3}), run("toy/b", {1: 3})]) == []
    assert rankings([run("toy/a", [3]), run("toy/b", [3], fingerprint="0" * 64)]) == []


def test_the_difference_is_stated_from_either_side(run):
    a, b = as_values([run("toy/a", CLICKS), run("toy/b", [n + 1 for n in CLICKS])])
    assert (a["differences"][0]["model"], a["differences"][0]["value"]) == ("toy/b", 1)
    assert (b["differences"][0]["model"], b["differences"][0]["interval"]) == ("toy/a", [-1, -1])
    assert a["differences"][0]["fewer_clicks_here"] == b["differences"][0]["more_clicks_here"] == 200
    assert a["samples"][3]["noc90"] == CLICKS[3]
    assert a["intervals"]["noc90"][0] < a["metrics"]["noc90"]


def test_a_pair_as_values_has_every_sample(run):
    found = pair_values(pair(run("toy/a", [2, 3]), run("toy/b", [4, 3])))
    assert found["difference"]["value"] == 1
    assert [one["sample"] for one in found["samples"]] == ["s0", "s1"]


def test_runs_that_differ_in_the_seed_alone_are_repeats(run):
    runs = [run("toy/a", [n] * 3, seed=n) for n in (2, 3, 7)]
    (found,) = repeats([*runs, run("toy/b", [5] * 3)])
    assert (found.over, found.nocs, found.mean) == ("seed", [2, 3, 7], 4)
    assert found.spread == pytest.approx(np.std([2, 3, 7], ddof=1))


def test_runs_that_differ_in_the_robot_are_repeats_too(run):
    (found,) = repeats([run("toy/a", [2, 2]), run("toy/a", [4, 4], robot="random", seed=1)])
    assert (found.over, found.mean) == ("robot", 3)
    assert (found.robustness.dgr, found.robustness.dsb, found.robustness.user) == (1, 1, None)


def test_robustness_is_that_of_the_samples_which_all_runs_have_done(run):
    base = run("toy/a", [2, 4, 5])
    drawn = [run("toy/a", {0: 4, 1: n}, robot="recorded:f.csv", seed=n) for n in (4, 8)]
    (found,) = repeats([base, *drawn])
    made = found.robustness
    assert (found.over, made.n) == ("seed", 2)
    assert made.dgr == pytest.approx((0 + 1) / 2)
    assert made.dsb == pytest.approx((1 + 0.5) / 2)  # 4 beside 2, 6 beside 4
    areas = [(0.5 * (n - 1) + 0.92 * (21 - n)) / 20 for n in (4, 8)]
    assert made.nsr == pytest.approx((0 + np.std(areas) / np.mean(areas)) / 2)
    assert made.auc == pytest.approx((areas[0] + np.mean(areas)) / 2)
    assert made.auc_spread == pytest.approx(np.std([areas[0], (areas[0] + areas[1]) / 2], ddof=1))
    assert (made.user, made.user_spread) == (0.5, 0)
    (again,) = repeats(drawn)
    assert again.robustness.dsb is None
    (apart,) = repeats([run("toy/a", {0: 3}, seed=1), run("toy/a", {1: 3}, seed=2)])
    assert apart.robustness is None


def test_robustness_has_its_table(run):
    drawn = [run("toy/a", [3, n], robot="recorded:f.csv", seed=n) for n in (4, 8)]
    ((columns, (row,)),) = tables(repeats(drawn))
    assert columns == ["model", "dataset", "over", "n", "NoC@90", "least", "most", "AuC", "user@1", "NSR", "dGR", "dSB"]
    assert row[:7] == ["toy/a", "folder:my", "2 seeds", "2", "4.50 ± 1.41", "3.50", "5.50"]
    assert row[8:] == ["50.0 ± 0.0", "2.6", "50.0", "–"]
    values = as_values(drawn)
    assert [one["repeats"][0]["robustness"]["n"] for one in values] == [2, 2]


def test_other_rules_data_or_models_are_no_repeats(run):
    assert repeats([run("toy/a", [2]), run("toy/a", [2], seed=1, max_clicks=10)]) == []
    assert repeats([run("toy/a", [2]), run("toy/a", [2], seed=1, fingerprint="0" * 64)]) == []
    assert repeats([run("toy/a", [2]), run("toy/b", [2], seed=1)]) == []
