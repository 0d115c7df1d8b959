"""Real processes that are stopped in mid-run: `kill -9`, Ctrl-C, a full disk; and what is there afterwards."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.runs import store
from iiszoo.errors import RunError

MODEL = "painting_models:sleeping_discs"
FEW = {"max_clicks": 4, "target_iou": 0.85}
RULES = ["--max-clicks", "4", "--target-iou", "0.85"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


class Started:
    """A real `iiszoo bench` in a process group of its own. `mark` is in the environment of all its processes."""

    def __init__(self, arguments, seconds, before=""):
        self.mark = uuid.uuid4().hex
        program = f"{before}; from iiszoo.cli.main import main; main()" if before else None
        self.process = subprocess.Popen(
            [sys.executable, *(["-c", program] if program else ["-m", "iiszoo"]), "bench", *map(str, arguments)],
            env={**os.environ, "PAINTING_SECONDS": str(seconds), "STARTED_BY": self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_lines(self, out: Path, n: int) -> None:
        deadline = time.monotonic() + 60
        while sum(path.read_bytes().count(b"\n") for path in out.rglob("samples*.jsonl")) < n:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.01)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def alive(self) -> list[int]:
        """The processes that carry the mark and run: the program itself and all that it started."""
        pids = []
        for place in Path("/proc").iterdir():
            try:
                marked = self.mark.encode() in (place / "environ").read_bytes()
                dead = " Z " in (place / "stat").read_text() or not (place / "cmdline").read_bytes()
            except OSError:
                continue
            if place.name.isdigit() and marked and not dead:
                pids.append(int(place.name))
        return pids

    def wait_until_all_have_gone(self, seconds: float = 20) -> list[int]:
        deadline = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left


@pytest.fixture
def start():
    """`start(arguments, seconds_a_call)`: begin a run; what still lives of it at the end of the test is killed."""
    started = []

    def start(arguments, seconds=0.05, before=""):
        started.append(Started(arguments, seconds, before))
        return started[-1]

    yield start
    for one in started:
        for pid in one.alive():
            os.kill(pid, signal.SIGKILL)
        one.process.communicate()


@pytest.fixture
def whole(photos, tmp_path):
    """The folder, its uninterrupted run, and the arguments of the same run elsewhere."""
    folder = photos(12, sizes=[(40, 56), (33, 47)], objects=2)
    (summary,) = bench(MODEL, folder, out=tmp_path / "whole", **FEW)
    out = tmp_path / "out"
    return folder, summary, ["--model", MODEL, "--dataset", folder, *RULES, "--out", out]


def samples(directory):
    return [trace.sample for trace in store.read_traces(directory)]


def check_resume(whole, out, results, lasting, kept_at_least, **how):
    """The same command in this process completes the run; it ends up as if it had never been stopped."""
    folder, summary, _ = whole
    (run,) = store.find_runs(out)
    kept = results(run)
    assert kept_at_least <= len(kept) < 24
    began = {line["sample"]: line for line in kept}
    (resumed,) = bench(MODEL, folder, out=out, **FEW, **how)
    assert lasting(resumed) == lasting(summary)
    assert results(run) == results(Path(summary["directory"]))
    for line in results(run):
        assert began.get(line["sample"], line) == line
    assert len((run / "samples.jsonl").read_text().splitlines()) == 24  # nothing was run twice


def test_kill_9_in_mid_run_and_resume_gives_the_same_summary(whole, start, tmp_path, results, lasting):
    run = start(whole[2])
    run.wait_for_lines(tmp_path / "out", 5)
    os.kill(run.process.pid, signal.SIGKILL)
    assert run.end()[0] == -signal.SIGKILL
    check_resume(whole, tmp_path / "out", results, lasting, kept_at_least=5, batch_size=3)


def test_ctrl_c_keeps_what_was_done_and_resume_gives_the_same_summary(whole, start, tmp_path, results, lasting):
    run = start(whole[2])
    run.wait_for_lines(tmp_path / "out", 5)
    os.killpg(run.process.pid, signal.SIGINT)
    code, out, err = run.end()
    assert code == 130, err
    assert re.search(r"stopped after \S+ m?s; finished samples are kept: the same command continues from here", err)
    assert "Traceback" not in err
    assert out == ""
    (place,) = store.find_runs(tmp_path / "out")
    assert store.read_json(place / store.SUMMARY)["n_done"] == len(samples(place))
    check_resume(whole, tmp_path / "out", results, lasting, kept_at_least=5)


def test_a_second_run_with_other_rules_is_refused_before_the_first_has_finished_a_sample(whole, start, tmp_path):
    folder, _, arguments = whole
    run = start(arguments, seconds=4)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").rglob("samples.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(
        RunError, match=r"is being written by another iiszoo process, as part of another run \(protocol"
    ):
        bench(MODEL, folder, out=tmp_path / "out", max_clicks=3, target_iou=0.85)
    with pytest.raises(RunError, match="is being written by another iiszoo process"):
        bench(MODEL, folder, out=tmp_path / "out", max_clicks=3, target_iou=0.85, overwrite=True)
    assert run.process.poll() is None
    (place,) = store.find_runs(tmp_path / "out")
    assert store.read_json(place / store.IDENTITY)["protocol"]["max_clicks"] == 4


def test_an_output_directory_that_is_removed_in_mid_run_is_whole_at_the_end(whole, start, tmp_path, results):
    _, summary, arguments = whole
    run = start(arguments)
    run.wait_for_lines(tmp_path / "out", 5)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    code, _, err = run.end()
    assert code == 0, err
    assert "was deleted while the run was in progress; it has been restored" in err
    (place,) = store.find_runs(tmp_path / "out")
    assert results(place) == results(Path(summary["directory"]))


@pytest.mark.slow
def test_kill_9_with_two_workers_leaves_no_orphan(whole, start, tmp_path, results, lasting):
    run = start([*whole[2], "--workers", 2], seconds=0.1)
    run.wait_for_lines(tmp_path / "out", 4)
    assert len(run.alive()) >= 3  # the parent and two workers
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert run.wait_until_all_have_gone() == []
    check_resume(whole, tmp_path / "out", results, lasting, kept_at_least=4, n_workers=2)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["the whole group, as a terminal sends it", "the parent alone"])
def test_ctrl_c_with_two_workers_leaves_no_orphan_and_no_traceback(whole, start, tmp_path, results, lasting, to):
    run = start([*whole[2], "--workers", 2], seconds=0.1)
    run.wait_for_lines(tmp_path / "out", 4)
    (os.kill if to == "the parent alone" else os.killpg)(run.process.pid, signal.SIGINT)
    code, _, err = run.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert run.wait_until_all_have_gone() == []
    check_resume(whole, tmp_path / "out", results, lasting, kept_at_least=4)


@pytest.mark.slow
def test_ctrl_c_while_the_workers_start_shows_no_traceback(whole, start, tmp_path):
    run = start([*whole[2], "--workers", 2], seconds=0.1)
    deadline = time.monotonic() + 60
    while len(run.alive()) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)  # they import torch now
    os.killpg(run.process.pid, signal.SIGINT)
    code, _, err = run.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert run.wait_until_all_have_gone() == []


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(whole, start, tmp_path, results, lasting):
    pytest.importorskip("resource")
    _, summary, arguments = whole
    room = (Path(summary["directory"]) / "samples.jsonl").stat().st_size // 2
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))"
    code, _, err = start(arguments, 0, before=limit).end()
    assert code == 2, err
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "samples.jsonl cannot be written (File too large); all samples before" in line
    assert "make room and run the same command again" in line
    check_resume(whole, tmp_path / "out", results, lasting, kept_at_least=1)
