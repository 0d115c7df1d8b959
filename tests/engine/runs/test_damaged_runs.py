"""Runs that somebody damaged, or made of something else: each is named in one sentence, and the others are reported."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.report import page, table
from iiszoo.engine.runs import store, summary
from iiszoo.errors import RunError


def make(directory: Path, trace, n=3, model="toy/net"):
    """A sound run of three samples, of which two are done."""
    identity = {
        "format": store.FORMAT,
        "model": {"id": model, "code": "toy 1", "weights": ["w sha256 1"], "options": {"radius": 3}},
        "protocol": EvaluationProtocol(threshold=0.5).as_json(),
        "dataset": {"id": "folder:/nowhere", "n_samples": n, "fingerprint": "f1"},
    }
    with store.begin(directory, identity) as writer:
        for i in range(n - 1):
            writer.append(trace([0.5, 0.95], i, boundary_iou=[0.4, 0.9], initial_boundary_iou=0.0))
    environment = {
        "argv": ["iiszoo"],
        "device": "cpu",
        "libraries": {"torch": "9"},
        "machine": {"cores": 2},
        "plugins": {"a": "b"},
    }
    told = {
        "skipped": {"s2": "it is broken"},
        "n_done": n - 1,
        "times": {"invocations": [["then", "now"]]},
        "provenance": {"dataset_place": "/nowhere", "dataset_stamp": "x", "environment": environment},
    }
    store.write_json(directory / store.SUMMARY, told)
    return directory


@pytest.fixture
def run(tmp_path, trace):
    """A sound run; another, `sound`, lies beside it."""
    make(tmp_path / "runs" / "sound", trace, model="toy/sound")
    return make(tmp_path / "runs" / "run", trace)


def reported(run):
    """What is wrong with the run beside the sound one, which must be there as ever, in table and page."""
    results, faults = summary.read_all([run.parent])
    summaries = [each for each, _ in results]
    assert "toy/sound" in [each["model"] for each in summaries]
    table.rows(summaries)
    table.notes(summaries)
    json.dumps(summaries, allow_nan=False)
    if not faults:
        page.write(run.parents[1] / "page.html", page.render(results))
    for fault in faults:
        assert "\n" not in fault
        assert len(fault) < 1000
    return faults


def test_sound_runs_are_reported_without_a_word(run, caplog):
    assert reported(run) == []
    assert caplog.text == ""


DEEP = "[" * 100_000 + "]" * 100_000
NO_JSON = ["", "{", "[]", "3", "null", "\x00\x00", "NaN", '{"format": 2, "model": ' + DEEP + "}", '{"a": 1e999}',
    '{"a": ' + "9" * 5000 + "}", '{"a": Infinity}']  # fmt: skip


@pytest.mark.parametrize("content", NO_JSON)
@pytest.mark.parametrize("name", ["run.json", "samples.jsonl"])
def test_what_is_no_json_is_named(run, name, content):
    (run / name).write_text(content + "\n")
    (fault,) = reported(run)
    assert str(run / name) in fault


@pytest.mark.parametrize("content", NO_JSON)
def test_a_damaged_summary_is_derived_again_with_a_warning(run, content, caplog):
    (run / store.SUMMARY).write_text(content)
    assert reported(run) == []
    if content != "null":
        assert f"{run / store.SUMMARY} is damaged" in caplog.text
        assert "everything in it but the results is left out" in caplog.text


def change(path: Path, keys, value):
    """Set one value of a JSON file, or of the first line of a file of samples; `...` deletes it."""
    first, newline, rest = path.read_text().partition("\n") if path.suffix == ".jsonl" else (path.read_text(), "", "")
    whole = json.loads(first)
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    path.write_text(json.dumps(whole) + newline + rest)


WRONG = [None, True, -1, 1.5, "text", [], {}, [None], {"a": None}, float("nan"), float("inf"), 10**400, "\ud800", ...]
IDENTITY = {
    ("format",): [],
    ("model",): [],
    ("model", "id"): ["text", "\ud800"],
    ("model", "code"): ["text", "\ud800"],
    ("model", "weights"): [[], ...],
    ("model", "options"): [{}, {"a": None}, ...],
    ("protocol",): [],
    ("protocol", "max_clicks"): [],
    ("protocol", "target_iou"): [],
    ("protocol", "threshold"): [],
    ("protocol", "robot"): [],
    ("protocol", "seed"): [],
    ("protocol", "resize"): [],
    ("protocol", "hash"): [],
    ("protocol", "name"): ["text", "\ud800"],
    ("dataset",): [],
    ("dataset", "id"): ["text", "\ud800"],
    ("dataset", "n_samples"): [],
    ("dataset", "fingerprint"): ["text", "\ud800"],
}
"""Each key of run.json with the values of `WRONG` that are not wrong for it, though the hash of the lines then is."""


@pytest.mark.parametrize("keys", IDENTITY, ids=".".join)
def test_a_wrong_value_of_the_identity_is_named(run, keys):
    content = (run / store.IDENTITY).read_text()
    for value in WRONG:
        (run / store.IDENTITY).write_text(content)
        change(run / store.IDENTITY, keys, value)
        right = value is not True and value in IDENTITY[keys]
        if keys == ("protocol", "name") and right:
            assert reported(run) == []
            continue
        (fault,) = reported(run)
        assert str(run) in fault
        assert ("belongs to another run" in fault) == right, (value, fault)


LINE = {
    ("sample",): ["text", "\ud800"],
    ("index",): [],
    ("size",): [],
    ("initial_iou",): [...],
    ("iou",): [[], ...],
    ("iou", 0): [],
    ("clicks",): [[], ...],
    ("clicks", 0): [[]],
    ("clicks", 0, 0): [],
    ("clicks", 0, 0, 1): [],
    ("model_seconds",): [[], ...],
    ("model_seconds", 0): [1.5],
    ("robot_seconds",): [[], ...],
    ("robot_seconds", 0): [1.5],
    ("init_seconds",): [1.5, ...],
    ("load_seconds",): [1.5, ...],
    ("final_mask",): ["text", "\ud800", ...],
    ("error",): [None, "text", "\ud800", ...],
    ("initial_boundary_iou",): [None, ...],
    ("boundary_iou",): [[], ...],
    ("boundary_iou", 0): [],
    ("run",): [],
    ("unheard of",): [...],
}


@pytest.mark.parametrize("keys", LINE, ids=lambda keys: ".".join(map(str, keys)))
def test_a_wrong_value_of_a_line_is_named(run, keys):
    content = (run / "samples.jsonl").read_text()
    for value in WRONG:
        if value is ... and (keys[-1] in (0, 1) or keys == ("unheard of",)):
            continue
        (run / "samples.jsonl").write_text(content)
        change(run / "samples.jsonl", keys, value)
        faults = reported(run)
        assert faults == [] if value in LINE[keys] and value is not True else f"{run}" in faults[0], (value, faults)
        assert faults == [] or "samples.jsonl line 1 " in faults[0] or "index" in faults[0]


SUMMARY = {
    ("skipped",): [{}, ...],
    ("skipped", "s2"): ["text", "\ud800", ...],
    ("times",): [{}, {"a": None}, ...],
    ("times", "invocations"): [[], ...],
    ("times", "invocations", 0): [],
    ("provenance",): [{}, {"a": None}, ...],
    ("provenance", "dataset_place"): ["text", "\ud800", ...],
    ("provenance", "environment"): [{}, {"a": None}, ...],
    ("provenance", "environment", "argv"): [[], ...],
    ("provenance", "environment", "libraries"): [{}, ...],
    ("provenance", "environment", "machine"): [{}, {"a": None}, ...],
    ("provenance", "environment", "plugins"): [{}, ...],
}


@pytest.mark.parametrize("keys", SUMMARY, ids=lambda keys: ".".join(map(str, keys)))
def test_a_wrong_value_of_the_summary_is_left_out_with_a_warning(run, keys, caplog):
    content = (run / store.SUMMARY).read_text()
    for value in WRONG:
        if value is ... and keys[-1] == 0:
            continue
        caplog.clear()
        (run / store.SUMMARY).write_text(content)
        change(run / store.SUMMARY, keys, value)
        assert reported(run) == []
        assert (caplog.text == "") == (value in SUMMARY[keys]), (value, caplog.text)


@pytest.mark.parametrize("name", ["samples-x.jsonl", "samples-1of2.jsonl", "run.json", "samples.jsonl", "summary.json"])
@pytest.mark.parametrize("kind", ["pipe", "directory", "zeros", "dangling", "loop", "socket"])
def test_what_is_not_a_file_is_named_and_does_not_hang(run, name, kind, monkeypatch):
    path = run / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        monkeypatch.chdir(run)  # the names of sockets must be short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    else:
        path.symlink_to({"zeros": "/dev/zero", "dangling": "nowhere", "loop": name}[kind])
    faults = reported(run)
    if name != "summary.json":
        (fault,) = faults
        assert str(run) in fault
    if name == "samples.jsonl" and kind != "dangling":
        with pytest.raises(RunError, match=f"{path} cannot be written"):
            store.Writer(run)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_an_unreadable_file_is_named(run, monkeypatch, error):
    from iiszoo import files

    real = files.read_bytes

    def refuse(path):
        if path.parent == run and path.name == "samples.jsonl":
            raise error
        return real(path)

    monkeypatch.setattr(files, "read_bytes", refuse)
    (fault,) = reported(run)
    assert f"samples.jsonl cannot be read: {error.strerror}" in fault


def test_a_folder_that_cannot_be_listed_is_named(run, monkeypatch, caplog):
    real = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    (run.parent / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    assert reported(run) == []
    assert f"directory {run.parent}/closed cannot be listed (Permission denied)" in caplog.text
    with pytest.raises(RunError, match=r"closed cannot be listed \(Permission denied\); give one"):
        store.find_runs(run.parent / "closed")


def test_a_run_without_its_identity_is_named_and_another_tools_run_json_is_none(run, caplog):
    (run / store.IDENTITY).unlink()
    (run.parent / "other").mkdir()
    (run.parent / "other" / "run.json").write_text('{"id": "of another tool"}')
    (fault,) = reported(run)
    assert f"{run} contains no run" in fault


def test_an_index_beyond_the_dataset_or_of_two_samples_is_named(run):
    change(run / "samples.jsonl", ("index",), 7)
    assert "index 7, but its dataset has 3 samples" in reported(run)[0]
    change(run / "samples.jsonl", ("index",), 1)
    assert "'s0' and 's1', with index 1" in reported(run)[0]


def test_where_no_run_can_be_read_all_are_named(run):
    for each in ("run", "sound"):
        (run.parent / each / store.IDENTITY).write_text("{")
    with pytest.raises(RunError) as raised:
        summary.read_all([run.parent, run.parent / "absent"])
    assert len(str(raised.value).splitlines()) == 3


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["run.json", "samples.jsonl", "summary.json"]), data=st.data())
def test_any_change_of_any_byte_is_survived(run, name, data):
    path = run / name
    whole = path.read_bytes()
    begin = data.draw(st.integers(0, len(whole) - 1))
    end = min(len(whole), begin + data.draw(st.sampled_from([0, 1, 1, 5, 100])))
    path.write_bytes(
        whole[:begin] + data.draw(st.binary(max_size=3) | st.sampled_from([b"1e9", b"{", b"-"])) + whole[end:]
    )
    try:
        reported(run)
    finally:
        path.write_bytes(whole)
