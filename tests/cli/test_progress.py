"""Progress of long runs where there is no terminal: a line now and then, with what is done, the rate and time left."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from iiszoo.cli import bench_progress
from iiszoo.cli.bench_progress import Bars, Lines, listener
from iiszoo.engine.runs.trace import Trace

RUN: Any = SimpleNamespace(
    name="toy/small", dataset="photos", rules=SimpleNamespace(target_iou=0.9, max_clicks=20)
)  # what a listener reads of a run


def trace(index: int, n_clicks: int) -> Trace:
    return Trace(f"s{index}", index, [4, 4], iou=[*[0.1] * (n_clicks - 1), 0.95])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(bench_progress.time, "monotonic", lambda: now.seconds)
    return now


def test_a_line_now_and_then(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as lines:
        lines.started(RUN, [trace(0, 2)], 101)
        for i in range(1, 91):
            clock.seconds += 2
            lines.ended_sample(RUN, trace(i, 4))
        lines.ended(RUN, {})
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 180 / bench_progress.EVERY
    assert err.splitlines()[0] == ("toy/small on photos: 16 of 101, 0.5 samples/s, NoC@90 3.88, 2 min 50 s left")


def test_a_short_run_prints_none(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as lines:
        lines.checking("photos", 0, 2)
        lines.checking("photos", 2, 2)
        lines.started(RUN, [], 1)
        clock.seconds += 5
        lines.ended_sample(RUN, trace(0, 1))
    assert capsys.readouterr().err == ""


def test_a_download_counts_bytes(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines() as lines:
        lines.fetching("a.pth", 0, 375_000_000)
        clock.seconds += 50
        lines.fetching("a.pth", 75_000_000, 375_000_000)
        clock.seconds += 50
        lines.fetching("b.pth", 10, None)
        clock.seconds += 50
        lines.fetching("b.pth", 1_500_010, None)
    assert capsys.readouterr().err.splitlines() == [
        "fetching a.pth: 75 MB of 375 MB, 1.5 MB/s, 3 min 20 s left",
        "fetching b.pth: 1.5 MB, 30 kB/s",
    ]


def test_a_terminal_gets_bars_which_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(listener(), Lines)
    stream = io.StringIO()
    with Bars(Console(file=stream, force_terminal=True, width=120)) as bars:
        bars.checking("photos", 1, 2)
        bars.checking("photos", 2, 2)
        bars.started(RUN, [], 2)
        bars.ended_sample(RUN, trace(0, 3))
        bars._progress.refresh()
        bars.ended(RUN, {})
    assert "toy/small on photos" in stream.getvalue()
    assert "NoC@90 3.00" in stream.getvalue()


def test_every_run_says_how_long_it_took(bench_command: Any, painted_photos: Any, tmp_path: Any) -> None:
    painted_photos.write(tmp_path / "photos", 2)
    arguments = ("--model", "painting_models:discs", "--dataset", "folder:photos", "--out", "out")
    code, out, err = bench_command(*arguments)
    assert (code, err) == (0, "")
    assert "\ntook " in out
    assert "times: on cpu, " in out
    code, out, err = bench_command(*arguments, "--json")
    assert json.loads(out)[0]["provenance"]["environment"]["threads"] >= 1
    assert err.startswith("took ")
