"""`iiszoo bench --robot recorded:FILE`: people's clicks, and a count of those made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.report import table
from iiszoo.engine.runs.summary import read
from iiszoo.errors import BadOption, RobotError, RunError

MODEL = "painting_models:ragged_discs"


def write(path: Path, firsts: dict[str, tuple[int, int]], size: tuple[int, int] = (40, 56)) -> str:
    """A file of sessions with one click each; returns the robot's name."""
    lines = [
        {
            "stem": stem,
            "object": 1,
            "size": list(size),
            "steps": [{"do": "click", "row": row, "col": col, "positive": True}],
        }
        for stem, (row, col) in firsts.items()
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return f"recorded:{path}"


@pytest.fixture
def how(tmp_path: Path) -> dict[str, Any]:
    return {"max_clicks": 4, "target_iou": 1.0, "out": tmp_path / "run"}


def test_a_run_begins_with_the_recorded_clicks_and_counts_the_others(
    photos: Any, tmp_path: Path, how: dict[str, Any]
) -> None:
    firsts = {"p0": (3, 4), "p2": (30, 50)}
    robot = write(tmp_path / "sessions.jsonl", firsts)
    (summary,) = bench(MODEL, photos(3), robot=robot, **how)
    _, traces = read(Path(summary["directory"]))
    for trace in traces:
        n = sum(map(len, trace.clicks))
        assert n == 4
        if trace.sample in firsts:
            assert trace.clicks[0] == [[*firsts[trace.sample], 1]]
        assert trace.unrecorded == n - (trace.sample in firsts)
    assert summary["metrics"]["unrecorded"] == pytest.approx(10 / 12)
    (note,) = [note for note in table.notes([summary]) if note.startswith("clicks of ritm")]
    assert note == f"clicks of ritm, where no recorded one was left: {MODEL} on {summary['dataset']} 83.3 %"
    assert table.rows([summary], ["unrecorded"])[0][-1] == "83.3"


def test_other_robots_say_nothing_of_records(photos: Any, how: dict[str, Any]) -> None:
    (summary,) = bench(MODEL, photos(1), **how)
    assert "unrecorded" not in summary["metrics"]
    assert "unrecorded" not in (Path(summary["directory"]) / "samples.jsonl").read_text()
    assert not any(note.startswith("clicks of ritm") for note in table.notes([summary]))


def test_other_clicks_in_the_file_are_another_run(photos: Any, tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "sessions.jsonl"
    robot = write(path, {"p0": (3, 4)})
    bench(MODEL, photos(1), robot=robot, **how)
    write(path, {"p0": (3, 5)})
    with pytest.raises(RunError, match=r"contains another run .*protocol.robot_version"):
        bench(MODEL, photos(1), robot=robot, **how)


def test_clicks_on_another_image_are_refused(photos: Any, tmp_path: Path, how: dict[str, Any]) -> None:
    robot = write(tmp_path / "sessions.jsonl", {"p0": (3, 4)}, (56, 40))
    with pytest.raises(RobotError, match=r"recorded clicks of sample 'p0' do not fit it.*40 x 56.* on sample 'p0'"):
        bench(MODEL, photos(1), robot=robot, **how)


def test_clicks_on_another_dataset_are_refused_before_anything_is_written(
    photos: Any, tmp_path: Path, how: dict[str, Any]
) -> None:
    robot = write(tmp_path / "sessions.jsonl", {"q0": (3, 4)})
    sentence = "has no click on any sample of dataset folder:.*: its clicks are on q0__1, q0, and the samples are p0"
    with pytest.raises(BadOption, match=sentence):
        bench(MODEL, photos(1), robot=robot, **how)
    assert not how["out"].exists()


@pytest.mark.slow
def test_neither_workers_nor_the_batch_change_a_click(
    photos: Any, tmp_path: Path, how: dict[str, Any], results: Any
) -> None:
    robot = write(tmp_path / "sessions.jsonl", {"p0": (3, 4), "p1": (20, 20), "p3": (30, 50)})
    folder = photos(4)
    (alone,) = bench(MODEL, folder, robot=robot, **how)
    (together,) = bench(MODEL, folder, robot=robot, **{**how, "out": tmp_path / "2"}, batch_size=3, n_workers=2)
    assert results(Path(together["directory"])) == results(Path(alone["directory"]))
