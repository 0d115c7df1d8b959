"""`iiszoo results verify --record`: who replayed what, beside the run."""

from __future__ import annotations

import shutil

import pytest

import iiszoo
from iiszoo.engine.results import layout, replays
from iiszoo.engine.results.checking import check
from iiszoo.engine.verify.run import AtHand, verify
from iiszoo.errors import RunError


def test_a_replay_that_agrees_makes_a_run_replayed(repo):
    run = layout.runs(repo)[0]
    for seed, by in ((4, "one"), (5, "another")):
        replays.record(verify(run, AtHand(samples=2, seed=seed)), 4, by)
    one, other = replays.read(run)
    assert (one.by, one.seed, one.iiszoo, one.n_samples, other.by) == ("one", 4, iiszoo.__version__, 4, "another")
    assert len(one.samples) == 2
    assert "every click and every IoU equal" in one.told[0]
    assert replays.tier_of([one, other]) == "replayed"
    assert check(repo).agrees


def test_a_replay_that_differs_is_recorded_too(repo, edited):
    run = layout.runs(repo)[0]
    edited(run)
    made = replays.record(verify(run, AtHand(samples=None)), 4, "a sceptic")
    assert not made.agrees
    assert any("iou[0]: it is 0.123 in the run" in told for told in made.told)
    assert replays.tier_of(replays.read(run)) == "submitted"


def test_what_replayed_nothing_is_no_replay(repo, made):
    run = layout.runs(repo)[0]
    shutil.move(made.parent / "photos", made.parent / "gone")
    try:
        found = verify(run, AtHand())
    finally:
        shutil.move(made.parent / "gone", made.parent / "photos")
    assert found.agrees
    with pytest.raises(RunError, match="no sample was replayed"):
        replays.record(found, 4, "me")
    assert replays.read(run) == []
