"""`iiszoo results check`: without weights and data, everything that does not belong or does not follow is named."""

from __future__ import annotations

import json
import shutil

import pytest
from restated_run import stated

from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.results import changes, layout, replays
from iiszoo.engine.results.checking import check
from iiszoo.engine.results.replays import Replay
from iiszoo.engine.runs import store
from iiszoo.errors import RunError


def faults(repo, base=None):
    """(path, check) of all that differs."""
    return [(place.path, fault.check) for place in check(repo, base).places for fault in place.faults]


def first(repo):
    return layout.runs(repo)[0]


def replayed(run, by="a colleague", **fields):
    """Write a replay of a run."""
    replay = {
        "by": by, "date": "2026-01-02", "iiszoo": "0.1.0", "agrees": True, "seed": 4, "samples": ["p0"], "n_samples": 4,
        "told": ["every click and every IoU equal"], "conditions": [], "content": layout.content_of(run),
    }  # fmt: skip
    store.write_json(run / "replays.json", {"replays": [{**replay, **fields}]})


def test_an_intact_repository_agrees_without_data_or_model(repo, made, monkeypatch):
    shutil.move(made.parent / "photos", made.parent / "gone")
    try:
        found = check(repo, repo)
    finally:
        shutil.move(made.parent / "gone", made.parent / "photos")
    assert found.agrees
    assert found.n_runs == 4
    assert found.changes == []
    told = {finding.check for place in found.places for finding in place.findings if finding.status == "agrees"}
    assert {"figures", "traces", "samples", "protocol", "weights", "card", "replays"} <= told


def test_files_beside_the_models_are_free(repo):
    (repo / "README.md").write_text("hello")
    (repo / ".github").mkdir()
    (repo / ".github" / "ci.yml").write_text("on: push")
    assert faults(repo) == []


def test_what_the_layout_does_not_have_is_named(repo):
    run = first(repo)
    (run / "weights.pth").write_text("")
    (run.parent / "notes.txt").write_text("")
    (run.parent / "link").symlink_to(run)
    (run / "samples-1of2.jsonl").symlink_to(run / "samples.jsonl")
    model = run.parent.name
    strange = {f"{model}/{run.name}/weights.pth", f"{model}/notes.txt", f"{model}/link"}
    assert strange | {f"{model}/{run.name}/samples-1of2.jsonl"} <= {
        path for path, kind in faults(repo) if kind == "names"
    }


def test_a_run_in_the_wrong_place_is_named(repo):
    run = first(repo)
    run.rename(run.with_name("grabcut--ritm--00000000"))
    assert faults(repo) == [(f"{run.parent.name}/grabcut--ritm--00000000", "names")]
    other = next(model for model in layout.models(repo) if model != run.parent)
    shutil.rmtree(other / run.name)
    run.with_name("grabcut--ritm--00000000").rename(other / run.name)
    assert set(faults(repo)) == {(f"{other.name}/{run.name}", "names"), (f"{other.name}/{run.name}", "card")}


def test_edited_traces_and_edited_figures_are_named(repo, edited):
    run = first(repo)
    edited(run)
    assert (f"{run.parent.name}/{run.name}", "figures") in faults(repo)
    (run / "run.json").write_text("{")
    assert faults(repo) == [(f"{run.parent.name}/{run.name}", "run")]


def test_a_card_that_is_absent_damaged_or_of_another_model_is_named(repo):
    model = layout.models(repo)[0]
    card = json.loads((model / "card.json").read_text())
    for changed in (None, {**card, "card": {**card["card"], "threshold": 2}}, {**card, "card": {"id": 3}}):
        (model / "card.json").unlink(missing_ok=True)
        if changed is not None:
            store.write_json(model / "card.json", changed)
        assert (model.name, "card") in faults(repo)
    store.write_json(model / "card.json", {**card, "card": {**card["card"], "id": "classic/other"}})
    assert faults(repo) == [(model.name, "card")]


def test_a_threshold_that_is_not_the_cards_is_named(repo):
    run = first(repo)
    stated(run, lambda identity: identity.update(protocol=ResolvedProtocol("standard", threshold=0.5).as_json()))
    assert "protocol" not in {kind for _, kind in faults(repo)}
    card = json.loads((run.parent / "card.json").read_text())
    store.write_json(run.parent / "card.json", {**card, "card": {**card["card"], "threshold": 0.4}})
    assert (run.relative_to(repo).as_posix(), "protocol") in faults(repo)


def test_a_file_that_is_too_large_for_a_repository_is_named(repo, monkeypatch):
    monkeypatch.setattr(layout, "LARGEST_FILE", 500)
    assert {kind for _, kind in faults(repo)} == {"sizes"}


def test_a_replay_must_be_of_the_traces_and_samples_that_are_there(repo, edited):
    run = first(repo)
    replayed(run)
    assert faults(repo) == []
    for wrong in ({"content": "0" * 16}, {"samples": ["absent"]}, {"samples": []}, {"n_samples": 5}):
        replayed(run, **wrong)
        assert faults(repo) == [(f"{run.parent.name}/{run.name}", "replays")]
    (run / "replays.json").write_text('{"replays": [{"by": 3}]}')
    assert faults(repo) == [(f"{run.parent.name}/{run.name}", "replays")]


def test_a_replay_that_did_not_agree_is_told_and_is_no_fault_of_the_repository(repo):
    run = first(repo)
    replayed(run, agrees=False, told=["sample p0 iou[0]: other"])
    assert faults(repo) == []
    findings = [finding for place in check(repo).places for finding in place.findings]
    (told,) = [one.text for one in findings if (one.check, one.status) == ("replays", "unchecked")]
    assert told == "that by a colleague on 2026-01-02 did not agree: sample p0 iou[0]: other"


def test_nothing_may_be_missing(repo, tmp_path):
    base = shutil.copytree(repo, tmp_path / "base")
    replayed(first(base))
    gone = layout.runs(repo)[1]
    shutil.rmtree(gone)
    assert faults(repo, base) == [
        (first(repo).relative_to(repo).as_posix(), "removed"),
        (gone.relative_to(repo).as_posix(), "removed"),
    ]


def test_what_changed_is_a_table(repo, tmp_path, edited):
    base = shutil.copytree(repo, tmp_path / "base")
    ritm, new, edited_run, _ = layout.runs(repo)
    replayed(ritm)
    shutil.rmtree(base / new.relative_to(repo))
    edited(edited_run)
    card = json.loads((ritm.parent / "card.json").read_text())
    store.write_json(ritm.parent / "card.json", {**card, "card": {**card["card"], "notes": "a | b"}})
    found = check(repo, base).changes
    assert [change.what for change in found] == ["replayed", "added", "changed", "card"]
    lines = changes.markdown(found).splitlines()
    assert lines[0] == "| change | model | dataset | robot | NoC@85 | NoC@90 | NoF@90 | ms/click | tier |"
    assert lines[2].startswith("| replayed by a colleague | classic/geocut | folder:")
    assert lines[2].endswith("| submitted → replayed |")
    assert lines[3].startswith("| added | classic/geocut |")
    assert lines[5].startswith("| card: notes | classic-geocut |")
    assert len({line.count("|") for line in lines}) == 1


def test_equal_states_have_no_table(repo, tmp_path):
    assert changes.markdown(changes.between(repo, shutil.copytree(repo, tmp_path / "base"))) == (
        "No run and no card changed."
    )


def test_a_place_that_is_no_directory_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match=r"cannot be listed .*; give a results repository"):
        check(tmp_path / "absent")


def test_the_tier_follows_from_the_replays():
    def replay(agrees):
        return Replay("a", "2026-01-02", "0.1.0", agrees, 0, ["p0"], 4, [], [], "")

    assert replays.tier_of([]) == "submitted"
    assert replays.tier_of([replay(True), replay(True)]) == "replayed"
    assert replays.tier_of([replay(True), replay(False)]) == "submitted"
