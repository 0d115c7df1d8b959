"""Runs that were edited after they were made: what was edited is named, by sample and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiszoo.engine.bench import bench
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.runs import store
from iiszoo.engine.runs.trace import pack_mask
from iiszoo.errors import RunError


def test_an_honest_run_agrees_in_everything(benched, checked):
    found = checked(benched())
    assert [finding.check for finding in found.findings] == [
        "figures", "traces", "samples", "protocol", "robot", "code", "weights", "data", "targets", "replay",
    ]  # fmt: skip
    assert {finding.status for finding in found.findings} == {"agrees"}
    assert found.replayed == ["p0", "p1", "p2", "p3"]
    assert found.conditions == []


@pytest.mark.parametrize("robot", ["noisy-ritm:sigma=2", "random", "mix:ritm=0.5,random-false=0.5"])
def test_a_robot_that_draws_is_replayed_with_its_own_draws(benched, differing, unchecked, robot):
    run = benched(robot=robot)
    assert differing(run) == []
    assert unchecked(run) == {}


@pytest.mark.parametrize("how", [{"batch_size": 3}, {"limit": 2}, {"initial": "perturb:seed=0,iou=0.4-0.6"}])
def test_runs_of_every_kind_agree(benched, differing, how):
    assert differing(benched(**how)) == []


def better(lines: list[dict[str, Any]]) -> None:
    lines[1]["iou"][0] = 0.8


def best(lines):
    """The session ends sooner, with a better last IoU."""
    for name in ("iou", "boundary_iou", "clicks", "model_seconds", "robot_seconds"):
        lines[1][name] = lines[1][name][:2]
    lines[1]["iou"][1] = 0.93


def dropped(lines):
    for name in ("iou", "boundary_iou", "clicks", "model_seconds", "robot_seconds"):
        del lines[1][name][-1]


def moved(lines):
    lines[1]["clicks"][2][0][0] ^= 1


def moved_first(lines):
    lines[1]["clicks"][0][0][0] ^= 1


def renamed(lines):
    lines[1]["sample"] = "p9"


def renumbered(lines):
    lines[0]["index"], lines[1]["index"] = lines[1]["index"], lines[0]["index"]


def other_mask(lines):
    lines[1]["final_mask"] = lines[2]["final_mask"]


def twice(lines):
    lines.append({**lines[1], "iou": [*lines[1]["iou"][:-1], 0.5]})


def started_well(lines):
    lines[1]["initial_iou"] = 0.5


EDITS = [
    (better, "replay", "iou[0]"),
    (best, "targets", "iou[1]"),
    (dropped, "targets", "clicks"),
    (moved, "replay", "clicks[2]"),
    (moved_first, "targets", "clicks[0]"),
    (renamed, "targets", "sample"),
    (renumbered, "targets", "index"),
    (other_mask, "replay", "final_mask"),
    (twice, "traces", "iou"),
    (started_well, "replay", "initial_iou"),
]


@pytest.mark.parametrize(("edit", "check", "field"), EDITS, ids=lambda edit: getattr(edit, "__name__", ""))
def test_an_edited_line_is_named_even_where_the_summary_follows_from_it(benched, forged, differing, edit, check, field):
    run = benched()
    forged(run, edit)
    assert (check, "p9" if edit is renamed else "p1", field) in differing(run)


def test_figures_that_do_not_follow_from_the_traces_are_named(benched, checked):
    run = benched()
    summary = json.loads((run / "summary.json").read_text())
    summary["metrics"]["noc90"] -= 0.5
    store.write_json(run / "summary.json", summary)
    (found,) = [finding for finding in checked(run).findings if finding.status == "differs"]
    assert found.check == "figures"
    assert found.text.startswith(f"metrics.noc90 is {summary['metrics']['noc90']} in the run, but ")


def test_a_removed_sample_contradicts_the_summary_or_leaves_the_run_incomplete(benched, forged, differing, unchecked):
    run = benched()
    whole = (run / "summary.json").read_text()
    forged(run, lambda lines: lines.pop(2))
    assert "no trace of index 2" in unchecked(run)["samples"]
    (run / "summary.json").write_text(whole)
    assert ("figures", None, None) in differing(run)


def test_a_sample_that_was_called_broken_and_is_not_is_named(benched, forged, differing):
    run = benched()
    forged(run, lambda lines: lines.pop(2))
    summary = json.loads((run / "summary.json").read_text())
    summary["skipped"] = {"p2": "its mask is empty"}
    store.write_json(run / "summary.json", summary)
    forged(run, lambda lines: None)
    assert differing(run) == [("data", "p2", None)]


def test_another_protocol_under_a_known_name_is_named(benched, checked):
    run = benched(max_clicks=None)
    identity = json.loads((run / "run.json").read_text())
    lines = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    rules = identity["protocol"]
    rules["target_iou"] = 0.85
    rules["hash"] = ResolvedProtocol.from_json(rules).hash
    store.write_json(run / "run.json", identity)
    with pytest.raises(RunError, match="line 1 belongs to another run"):
        checked(run)
    own = store.run_hash(identity)
    (run / "samples.jsonl").write_text("".join(json.dumps({**line, "run": own}) + "\n" for line in lines))
    texts = [finding.text for finding in checked(run).findings if finding.status == "differs"]
    assert "it is named 'standard', whose target_iou is 0.9, and has 0.85" in texts


def test_rules_without_their_hash_are_refused(benched, checked):
    run = benched()
    (run / "run.json").write_text((run / "run.json").read_text().replace('"max_clicks": 6', '"max_clicks": 7'))
    with pytest.raises(RunError, match=r"protocol\.hash must be"):
        checked(run)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"iou":[', '"iou":[NaN,', "line 1 is not a trace .NaN is not a JSON number"),
        ('"iou":[', '"iou":[7,', 'line 1 .sample "p0". is not a trace .iou.0. must lie in .0, 1., not 7'),
    ],
)
def test_what_is_no_trace_is_one_sentence(benched, checked, old, new, told):
    run = benched()
    text = (run / "samples.jsonl").read_text()
    (run / "samples.jsonl").write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=told) as raised:
        checked(run)
    assert "\n" not in str(raised.value)


def test_a_run_of_a_newer_format_is_one_sentence(benched, checked):
    run = benched()
    (run / "run.json").write_text((run / "run.json").read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(RunError, match=r"format 3, not 2\); install a newer iiszoo to read it$"):
        checked(run)


def test_a_summary_that_is_damaged_or_absent_is_told(benched, differing, unchecked):
    run = benched()
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(text.replace('"auc": ', '"auc": NaN, "odd": '))
    assert differing(run) == [("figures", None, None)]
    (run / "summary.json").unlink()
    assert differing(run) == []
    assert set(unchecked(run)) == {"figures"}


PLACES = st.sampled_from(["iou", "boundary_iou", "clicks", "final_mask", "index", "size", "sample", "initial_iou",
                          "error", "initial_boundary_iou"])  # fmt: skip


def edited(line: dict[str, Any], field: str, draw: Any) -> bool:
    """Change a field of a line to another sound value; whether that changes more than the tolerance allows."""
    old = json.dumps(line[field])
    if field in ("iou", "boundary_iou"):
        k = draw(st.integers(0, len(line[field]) - 1))
        before, line[field][k] = line[field][k], draw(st.floats(0, 1))
        return abs(before - line[field][k]) > 0.01
    if field.startswith("initial"):
        before, line[field] = line[field], draw(st.floats(0, 1))
        return abs(before - line[field]) > 0.01
    if field == "clicks":
        k = draw(st.integers(0, len(line["clicks"]) - 1))
        line["clicks"][k] = draw(
            st.lists(st.tuples(st.integers(0, 39), st.integers(0, 55), st.integers(0, 1)).map(list), max_size=2)
        )
    elif field == "final_mask":
        bits = np.random.default_rng(draw(st.integers(0, 99))).random((40, 56)) < draw(st.floats(0, 1))
        line["final_mask"] = draw(st.sampled_from([pack_mask(bits), "", "AAAA"]))
    elif field == "index":
        line["index"] = draw(st.integers(0, 9))
    elif field == "size":
        line["size"] = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)).map(list))
    elif field == "sample":
        line["sample"] = draw(st.sampled_from(["p0", "p1", "p2", "p7", ""]))
    elif field == "error":
        line["error"] = "it failed"
    return json.dumps(line[field]) != old


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound run, made once."""
    import painted_photos

    place = tmp_path_factory.mktemp("sound")
    dataset = f"folder:{painted_photos.write(place / 'photos')}"
    (summary,) = bench("painting_models:Remembering", dataset, out=place / "runs", max_clicks=6)
    return Path(summary["directory"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), line=st.integers(0, 3), field=PLACES)
def test_no_edit_of_a_result_goes_unseen(sound, forged, checked, data, line, field):
    kept = {path: path.read_text() for path in (sound / "samples.jsonl", sound / "summary.json")}
    try:
        seen: list[bool] = []
        forged(sound, lambda lines: seen.append(edited(lines[line], field, data.draw)))
        agrees = checked(sound).agrees
        whole = len(store.read_traces(sound)) == 4
    except (RunError, ValueError):  # refused as it is read
        return
    finally:
        for path, text in kept.items():
            path.write_text(text)
    assert not (agrees and seen[0] and whole)
