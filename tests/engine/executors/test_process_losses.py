"""Runs whose workers die: nothing is lost or doubled, and what kills workers is named."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import Pipe
from pathlib import Path

import pytest
from after_some import AfterSome

from iiszoo.engine.bench import bench
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.executors import Job, process_run
from iiszoo.engine.executors.process_run import ProcessRun, _Worker, cause_of
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs import store
from iiszoo.errors import RunError
from iiszoo.model_reference import resolve

FEW = {"max_clicks": 3, "target_iou": 0.9}


def where(summary) -> Path:
    return Path(summary["directory"])


def samples_of(directory: Path) -> list[str]:
    """The sample of every line, doubled ones included."""
    return sorted(trace.sample for trace in store.read_lines(directory))


def kill_a_worker() -> None:
    worker = next(child for child in multiprocessing.active_children() if child.name.startswith("iiszoo-worker"))
    os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_worker_that_is_killed_in_mid_run_costs_nothing(photos, tmp_path, monkeypatch, results, caplog, batch_size):
    monkeypatch.setenv("PAINTING_SECONDS", "0.05")  # of a call
    folder, model = photos(7, sizes=[(40, 56), (33, 47)], objects=2), "painting_models:sleeping_discs"
    (summary,) = bench(
        model, folder, out=tmp_path / "out", n_workers=2, batch_size=batch_size,
        listener=AfterSome(3, kill_a_worker), **FEW,
    )  # fmt: skip
    assert "died (killed by signal 9, perhaps out of memory); what it had is run again" in caplog.text
    assert (summary["complete"], summary["n_failed"]) == (True, 0)
    (alone,) = bench(model, folder, out=tmp_path / "alone", **FEW)
    assert samples_of(where(summary)) == samples_of(where(alone))
    assert results(where(summary)) == results(where(alone))
    assert not multiprocessing.active_children()


def test_a_sample_that_kills_its_workers_is_named_and_costs_no_other(photos, tmp_path, monkeypatch, results):
    folder, model = photos(6, marked=[2]), "painting_models:mortal_discs"
    (alone,) = bench(model, folder, out=tmp_path / "alone", **FEW)
    monkeypatch.setenv("PAINTING_DIES", "1")
    (summary,) = bench(model, folder, out=tmp_path / "out", n_workers=2, batch_size=2, **FEW)
    assert (summary["complete"], summary["n_failed"]) == (True, 1)
    assert samples_of(where(summary)) == samples_of(where(alone))
    failed, *others = sorted(results(where(summary)), key=lambda trace: trace["error"] is None)
    assert failed["sample"] == "p2"
    assert failed["error"] == (
        "its worker died twice, the second time with this sample alone "
        "(exit code 7: the model or a library ended the process)"
    )
    assert others == [trace for trace in results(where(alone)) if trace["sample"] != "p2"]


def test_a_model_that_no_worker_survives_ends_the_run(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(process_run, "DEATHS_IN_A_ROW", 2)
    with pytest.raises(RunError, match=r"2 workers in a row died .* signal 9, .* memory; .* with fewer --workers"):
        bench("painting_models:KilledInWorkers", photos(3), out=tmp_path / "out", n_workers=2, **FEW)
    assert not multiprocessing.active_children()


class Dead:
    name, exitcode = "iiszoo-worker-1", -9

    def join(self):
        pass


@pytest.mark.parametrize("left", ["a question", "an unread answer", "nothing"])
def test_the_parent_survives_a_worker_that_dies_while_it_is_spoken_to(left):
    """The kernel may kill a worker (out of memory) between its question and the answer. What was sent and stays unread
    makes the parent's next read a reset, no end of file.
    """
    job = Job(
        resolve("painting_models:discs"), "cpu", "demo", None, ResolvedProtocol(), 1, False, RobotReference("ritm")
    )
    run = ProcessRun(job, list, [[0]], lambda trace: None, 1)
    ours, theirs = Pipe()
    run._workers[ours] = _Worker(Dead(), begun=True)
    run._dispatch.join(ours)
    if left == "a question":
        theirs.send(("next", None))
    elif left == "an unread answer":
        ours.send([0])
    theirs.close()
    run._hear(ours)
    assert not run._workers
    assert not run._dispatch.finished, "the sample is given out again"


def test_what_an_exit_code_says():
    assert cause_of(-9) == "killed by signal 9, perhaps out of memory"
    for code in (-11, -6, 0, 1, 3):
        assert "memory" not in cause_of(code)
    assert "signal 11: code of the model or of a library crashed" in cause_of(-11)
