"""`iiszoo bench --robot-python`: a robot that lives in another interpreter."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo.engine.bench import bench
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs import provenance, store
from iiszoo.errors import BadOption, RobotError
from iiszoo.remote import Interpreter, RemoteRobot
from iiszoo.remote import robot as robot_module
from iiszoo.remote.model import started

MODEL = "painting_models:discs"
FEW = {"max_clicks": 3, "target_iou": 0.95}


@pytest.fixture
def clicks(photos: Any, bare_python: str, tmp_path: Path) -> Any:
    """`clicks(name, ...)`: by sample, the clicks of a run of a robot of array_robots in the bare interpreter."""
    folder = photos(3)

    def clicks(name: str, out: str = "run", **how: Any) -> Any:
        settings = {"robot": f"array_robots:{name}", "robot_python": bare_python, **FEW, **how}
        (summary,) = bench(MODEL, folder, out=tmp_path / out, **settings)
        clicks.summary = summary  # type: ignore[attr-defined]
        return {trace.sample: trace.clicks for trace in store.read_traces(Path(summary["directory"]))}

    return clicks


def test_it_gets_outputs_targets_clicks_and_sample_ids(clicks: Any, bare_python: str) -> None:
    assert clicks("knows_its_sample") == {f"p{i}": [[[i, k, 1]] for k in range(3)] for i in range(3)}
    assert clicks.summary["protocol"]["robot"] == "array_robots:knows_its_sample"
    assert clicks.summary["provenance"]["environment"]["robot_worker"]["interpreter"] == bare_python
    outputs, targets = torch.zeros(2, 1, 4, 5), torch.zeros(2, 1, 4, 5, dtype=torch.bool)
    targets[0, 0, 1, 2:] = True
    targets[1, 0, 3, 3] = True
    outputs[1, 0, 0, 4] = 1
    robot = RemoteRobot("array_robots:first_error", Interpreter(bare_python))
    before = [[[(0, 0)], []]], [[[], [(3, 3)]]]
    assert robot(outputs, targets, *before) == ([*before[0], [[(1, 2)], []]], [*before[1], [[], [(0, 4)]]])


def test_its_draws_follow_the_sample_and_the_seed_alone(clicks: Any) -> None:
    alone = clicks("drawn")
    assert clicks("drawn", "2", batch_size=3) == alone
    assert clicks("drawn", "3", seed=1) != alone


def test_it_is_started_once_for_all_runs_of_a_command(
    photos: Any, bare_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []
    monkeypatch.setattr(robot_module, "started", lambda where: processes.append(started(where)) or processes[-1])
    robot = {"robot": "array_robots:drawn", "robot_python": bare_python}
    models = [MODEL, "painting_models:ragged_discs"]
    assert len(bench(models, photos(2), out=tmp_path / "run", **robot, **FEW)) == 2
    assert len(processes) == 1


def test_a_reference_is_loaded_once_and_starts_its_own_where_it_arrives(bare_python: str) -> None:
    reference = RobotReference("array_robots:drawn", Interpreter(bare_python))
    robot = reference.load()
    assert reference.load() is robot
    assert isinstance(robot, RemoteRobot)
    assert pickle.loads(pickle.dumps(reference)).load() is not robot
    reference.release()
    with pytest.raises(RobotError, match="the worker of robot array_robots:drawn"):
        robot(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), [], [])
    assert reference.known()[0] == robot.version


def test_the_device_of_a_run_is_its_models(clicks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_device_name", lambda device: f"{device} (the model's)")
    clicks("drawn")
    assert clicks.summary["provenance"]["environment"]["device"] == "cpu (the model's)"


@pytest.mark.slow
def test_each_of_several_workers_has_its_own(clicks: Any) -> None:
    assert clicks("drawn", "2", n_workers=2) == clicks("drawn")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("raises", r"robot array_robots:raises raised ValueError: no click today \(.*array_robots.py:.*on sample 'p0'"),
        ("exits", r"the worker of robot array_robots:exits .* ended with exit code 7.*what was done is kept"),
        ("none", "robot array_robots:none raised TypeError"),
        ("forgets", "0 and 0 interactions returned after 0"),
    ],
)
def test_a_robot_that_fails_ends_the_run_with_a_sentence(clicks: Any, name: str, sentence: str) -> None:
    with pytest.raises(RobotError, match=sentence):
        clicks(name)


def test_a_robot_that_does_not_answer_is_ended(clicks: Any) -> None:
    with pytest.raises(RobotError, match=r"did not answer within 1 s \(--python-timeout\)"):
        clicks("silent", python_timeout=1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("array_robots:nobody", "robot array_robots:nobody cannot be loaded: AttributeError"),
        ("no_module:robot", "robot no_module:robot cannot be loaded: ModuleNotFoundError"),
        ("ritm", "'ritm' cannot be found by its id: .* has no iiszoo"),
    ],
)
def test_a_robot_that_is_not_there(clicks: Any, name: str, sentence: str) -> None:
    with pytest.raises(BadOption, match=sentence):
        clicks("drawn", robot=name)
    with pytest.raises(BadOption, match=r"--robot-python .*nowhere: there is no such program"):
        clicks("drawn", robot_python="/nowhere")
