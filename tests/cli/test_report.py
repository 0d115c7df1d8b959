"""`iiszoo report`: what can be read is reported, what cannot is named, and the exit code says whether anything was."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def runs(tmp_path):
    """`runs`: a directory of two sound runs, `a` and `b`."""
    from iiszoo.engine.evaluation_protocol import EvaluationProtocol
    from iiszoo.engine.runs import store
    from iiszoo.engine.runs.trace import Trace

    for name in ("a", "b"):
        identity = {
            "format": store.FORMAT,
            "model": {"id": f"toy/{name}", "code": "toy 1", "weights": []},
            "protocol": EvaluationProtocol(threshold=0.5).as_json(),
            "dataset": {"id": "folder:/nowhere", "n_samples": 1, "fingerprint": "f1"},
        }
        with store.begin(tmp_path / "runs" / name, identity) as writer:
            writer.append(Trace("s0", 0, [2, 2], iou=[0.95]))
    return tmp_path / "runs"


def damage(run):
    (run / "samples.jsonl").write_text("{}\n")


def forget(run):
    (run / "run.json").unlink()


def age(run):
    (run / "run.json").write_text((run / "run.json").read_text().replace('"format": 2', '"format": 1'))


@pytest.mark.parametrize("spoil", [damage, forget, age])
def test_a_bad_run_is_named_in_one_line_and_the_others_are_reported(iiszoo, runs, spoil):
    spoil(runs / "a")
    for more in ([], ["--json"], ["--html", "page.html"]):
        done = iiszoo("report", runs, *more)
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if not line.startswith("page written")]
        assert line.startswith(f"left out: {runs}/a")
        assert "toy/b" in done.stdout
        assert "toy/a" not in done.stdout
        if more == ["--json"]:
            assert [summary["model"] for summary in json.loads(done.stdout)] == ["toy/b"]


def test_a_directory_without_runs_does_not_keep_the_others(iiszoo, runs, tmp_path):
    (tmp_path / "empty").mkdir()
    done = iiszoo("report", tmp_path / "absent", tmp_path / "empty", runs / "b")
    assert done.returncode == 0
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["left out", "left out"]
    assert "absent is not a directory" in done.stderr
    assert "empty contains no run" in done.stderr
    assert "toy/b" in done.stdout


def test_where_nothing_can_be_reported_all_are_named_and_the_exit_code_says_so(iiszoo, runs):
    damage(runs / "a")
    forget(runs / "b")
    done = iiszoo("report", runs)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{runs}/a/samples.jsonl line 1 is not a trace (sample is missing)" in done.stderr
    assert f"{runs}/b contains no run" in done.stderr
    assert "Traceback" not in done.stderr
