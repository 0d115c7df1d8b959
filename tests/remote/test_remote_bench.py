"""`iiszoo bench --python`: a run whose model lives in another interpreter, and what its death costs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.runs import store
from iiszoo.errors import BadOption, ModelError, RunError

FEW = {"max_clicks": 3, "target_iou": 0.95}


@pytest.fixture
def folder(photos):
    """Six photographs of two sizes, the third and the last of them marked: faulty models do wrong on those."""
    return photos(6, sizes=[(40, 56), (33, 47)], marked=[2, 5])


@pytest.fixture
def sound(folder, tmp_path, results):
    """The traces of a sound model in this process."""
    (summary,) = bench("painting_models:discs", folder, out=tmp_path / "sound", **FEW)
    return results(summary)


@pytest.fixture
def run(folder, bare_python, tmp_path):
    """`run(name, ...)`: the summary of a run of a model of array_models in the bare interpreter."""

    def run(name, **how):
        (summary,) = bench(f"array_models:{name}", folder, python=bare_python, out=tmp_path / name, **FEW, **how)
        return summary

    return run


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_run_there_is_a_run_here(run, sound, results, batch_size):
    assert results(run("discs", batch_size=batch_size)) == sound


def test_provenance_tells_the_interpreter_and_its_versions(run, bare_python):
    provenance = run("discs", limit=1)["provenance"]
    worker = provenance["environment"]["worker"]
    assert worker["interpreter"] == bare_python
    assert worker["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(worker["libraries"]) == {"numpy"}
    assert provenance["model"]["code"].startswith("sha256 ")


def test_a_finished_run_is_not_run_again(run, monkeypatch):
    first = run("discs")
    monkeypatch.setattr("iiszoo.remote.model.RemoteFunction.__init__", None)
    assert run("discs")["metrics"] == first["metrics"]


@pytest.mark.parametrize(
    ("name", "said", "batch_size"),
    [
        ("exits", "ended with exit code 7; its last output: I go now", 1),
        ("exits", "ended with exit code 7; its last output: I go now", 3),
        ("is_killed", "was killed by SIGKILL, often for lack of memory", 1),
        ("segfaults", "was killed by SIGSEGV; its last output: ", 1),
        ("exits_and_leaves_a_child", "ended with exit code 7", 1),
        ("hangs", "did not answer within 1.5 s (--python-timeout)", 1),
    ],
)
def test_the_death_of_a_worker_costs_the_sample_in_flight(run, sound, results, caplog, name, said, batch_size):
    with caplog.at_level(logging.WARNING):
        summary = run(name, batch_size=batch_size, python_timeout=1.5)
    assert (summary["n_done"], summary["n_failed"]) == (6, 2)
    for trace, as_it_should in zip(results(summary), sound, strict=True):
        if trace["sample"] in ("p2", "p5"):
            assert f"the worker of model array_models:{name}" in trace["error"]
            assert said in trace["error"]
            assert f"(on sample '{trace['sample']}' at click 2)" in trace["error"]
        else:
            assert trace == as_it_should
    assert said in caplog.text
    assert "a new one is started" in caplog.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", r"raised ZeroDivisionError: division by zero \(.*array_models.py:\d+, in <lambda>; in .*python\)"),
        ("leaves", r"raised SystemExit: 3"),
        ("is_unspeakable", r"raised Unspeakable: \(no text: its str\(\) raises RuntimeError\)"),
        ("raises_a_megabyte", r"raised ValueError: x{500,2000} "),
        ("has_no_answer", "must give an array, or a list of them, as y, not NoneType"),
        ("has_wrong_shape", "must answer with shape"),
        ("is_not_float32", "must answer in float32, not torch.float64"),
        ("has_three_answers", "must return y or .y, z. with z a dict, not a tuple of 3"),
        ("has_odd_state", "keep z indexable by batch element, .* but 'turns' is int"),
    ],
)
def test_a_faulty_answer_ends_the_run_or_is_counted_with_keep_going(run, sound, results, name, said):
    with pytest.raises(ModelError, match=said):
        run(name)
    summary = run(name, keep_going=True)
    assert summary["n_failed"] == 2
    assert [trace for trace in results(summary) if trace["error"] is None] == [sound[i] for i in (0, 1, 3, 4)]


def test_a_batch_that_is_too_much_costs_nobody(run, sound, results, caplog):
    assert results(run("dies_in_batches", batch_size=3)) == sound
    assert "ended with exit code 1; a new one is started" in caplog.text


def test_a_worker_that_only_dies_ends_the_run_with_what_was_done(run, tmp_path):
    with pytest.raises(RunError, match="5th death without an answered click in between"):
        run("dies_always")
    assert len(store.read_traces(*store.find_runs(tmp_path / "dies_always"))) == 4


def test_only_what_is_named_can_be_in_another_interpreter(folder, tmp_path):
    with pytest.raises(BadOption, match="must be given by name"):
        bench(len, folder, python=sys.executable, out=tmp_path / "out")


def test_an_id_is_resolved_there(folder, tmp_path, results, monkeypatch):
    """In a second installation of iiszoo: the same identity, the same traces."""
    import iiszoo

    (here,) = bench("classic/grabcut", folder, out=tmp_path / "here", limit=2, **FEW)
    monkeypatch.setenv("PYTHONPATH", str(Path(iiszoo.__file__).parents[1]))
    (there,) = bench("classic/grabcut", folder, python=sys.executable, out=tmp_path / "there", limit=2, **FEW)
    assert results(there) == results(here)
    assert there["provenance"]["model"] == here["provenance"]["model"]
    worker = there["provenance"]["environment"]["worker"]
    assert worker["plugins"]["iiszoo"] == f"iiszoo {iiszoo.__version__}"
    assert {"torch", "numpy"} <= set(worker["libraries"])


@pytest.mark.slow
def test_two_processes_have_a_worker_each(run, sound, results):
    assert results(run("discs", n_workers=2)) == sound


def _alive(mark):
    """The processes that carry the mark in their environment, and run."""
    pids = []
    for place in Path("/proc").iterdir():
        try:
            marked = mark.encode() in (place / "environ").read_bytes()
            dead = " Z " in (place / "stat").read_text() or not (place / "cmdline").read_bytes()
        except OSError:
            continue
        if place.name.isdigit() and marked and not dead:
            pids.append(int(place.name))
    return pids


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_neither_ctrl_c_nor_kill_9_leaves_anything_behind(folder, bare_python, tmp_path, how):
    import iiszoo

    mark, shared = uuid.uuid4().hex, set(os.listdir("/dev/shm"))
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(Path(iiszoo.__file__).parents[1])])
    arguments = ["--model", "array_models:sleeping", "--dataset", folder, "--python", bare_python]
    arguments += ["--python-timeout", "90", "--out", "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "iiszoo", "bench", *arguments],
        env={**os.environ, "SLEEPING_SECONDS": "30", "PYTHONPATH": path, "MARK": mark},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "in_a_call").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    assert len(_alive(mark)) == 2
    os.killpg(process.pid, how)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (130 if how == signal.SIGINT else -how), err
    assert "Traceback" not in err
    deadline = time.monotonic() + 10  # long before the call would have ended by itself
    while _alive(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _alive(mark) == []
    assert set(os.listdir("/dev/shm")) <= shared


def test_a_merge_over_there_takes_its_masks_at_the_threshold_of_the_run(tmp_path, results):
    def ious(name, **how):
        (summary,) = bench(
            "classic/random-walker",
            "demo",
            limit=2,
            max_clicks=2,
            threshold=0.2,
            progressive_merge="published",
            initial="perturb:seed=0,iou=0.75-0.85",
            out=tmp_path / name,
            **how,
        )
        return results(summary)

    assert ious("there", python=sys.executable) == ious("here")
