"""A worker as Ray runs it, without Ray: what it loads, what it refuses, and how it is asked step by step."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import noted_job
import numpy as np
import pytest

from iiszoo.engine.evaluation_protocol import load_protocol
from iiszoo.engine.executors import Job, ray_worker, sent_files
from iiszoo.engine.executors.ray_worker import AHEAD, RayWorker, Task, hash_of_ids
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, DatasetError, IISZooError, ModelError, WeightsError
from iiszoo.model_reference import resolve

RULES = load_protocol("standard", max_clicks=2).resolved(0.5)


def job_of(model: str, folder: str, kind: type[Job] = Job, robot: str = "ritm", **more) -> Job:
    reference = RobotReference(robot)
    rules = replace(RULES, robot=robot, robot_version=reference.known()[0])
    return kind(resolve(model), "cpu", folder, None, rules, 1, False, reference, **more)


def task_of(job: Job) -> Task:
    ids = hash_of_ids(job.samples_of(job.load_dataset()))
    return Task(pickle.dumps(job), sent_files.files_of(job), job.model.identity(), ids, str(Path.cwd()))


@pytest.fixture
def worker(monkeypatch):
    import torch

    monkeypatch.setattr(ray_worker, "_address", lambda: "10.0.0.7")
    threads = torch.get_num_threads()
    yield RayWorker(1)
    torch.set_num_threads(threads)


def run(worker: RayWorker, groups: list[list[int]]) -> list[Trace]:
    """Give the groups as the driver does; the traces that have come."""
    left, done, report = list(groups), [], None
    while report is None or not report.ended:
        n = AHEAD if report is None else report.wanted
        given, left = left[:n], left[n:]
        report = worker.step(given, bool(left))
        done += report.traces
        if report.fault:
            raise report.fault[0]
    return done


def test_groups_go_in_and_traces_come_out_and_it_can_be_asked_again(worker, photos):
    assert (
        worker.begin(task_of(job_of("painting_models:discs", photos(6))))
        .environment["node"]["name"]
        .endswith("(10.0.0.7)")
    )
    assert [trace.sample for trace in run(worker, [[n] for n in range(5)])] == [f"p{n}" for n in range(5)]
    assert [trace.sample for trace in run(worker, [[5]])] == ["p5"]


def test_a_fault_of_the_model_comes_back_with_the_sample(worker, photos):
    worker.begin(task_of(job_of("painting_models:raising", photos(3, marked=[1]))))
    with pytest.raises(ModelError, match=r"painting_models:raising raised RuntimeError.*'p1'"):
        run(worker, [[0], [1], [2]])


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"ids": "0"}, DatasetError, "has other samples there"),
        ({"identity": {"id": "painting_models:discs", "code": "sha256 0"}}, BadOption, "is another there .code:"),
    ],
)
def test_a_node_with_other_data_or_code_is_named(worker, photos, wrong, kind, said):
    ready = worker.begin(task_of(job_of("painting_models:discs", photos(2)))._replace(**wrong))
    with pytest.raises(kind, match=rf"^on node .* \(10\.0\.0\.7\): .*{said}"):
        raise ready.fault[0]


def test_a_node_without_the_dataset_or_the_model_is_named(worker, photos, tmp_path):
    task = task_of(job_of("painting_models:discs", photos(2)))
    job = pickle.loads(task.job)
    for lacking in (
        replace(job, dataset=f"folder:{tmp_path}/none"),
        replace(job, model=replace(job.model, function="no:m")),
    ):
        ready = worker.begin(task._replace(job=pickle.dumps(lacking)))
        with pytest.raises(IISZooError, match=r"^on node .*(none|'no:m')"):
            raise ready.fault[0]


def test_a_file_that_a_node_lacks_is_asked_for_verified_and_kept(worker, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "cache"))
    note = tmp_path / "note"
    note.write_text("a note")
    task = task_of(job_of("painting_models:discs", photos(2), noted_job.NotedJob, note=note))
    assert worker.begin(task).environment, "on a shared disk it is there"
    note.unlink()
    assert worker.begin(task).missing == (0,)
    content = np.frombuffer(b"a n0te", np.uint8)
    with pytest.raises(WeightsError, match="arrived with another content"):
        raise worker.begin(task, (0,), content).fault[0]
    assert worker.begin(task, (0,), np.frombuffer(b"a note", np.uint8)).environment
    assert worker.begin(task).environment, "it is kept"


def test_recorded_clicks_come_with_the_job_to_a_node_that_lacks_their_file(worker, photos, tmp_path):
    file = tmp_path / "clicks.csv"
    file.write_text("dataset,image_stem,full_stem,click_type,x,y\nD,p0,p0,first,7,5\n")
    task = task_of(job_of("painting_models:discs", photos(2), robot=f"recorded:{file}"))
    file.unlink()
    assert worker.begin(task).environment
    recorded, unknown = run(worker, [[0], [1]])
    assert recorded.clicks[0] == [[5, 7, 1]]
    assert recorded.unrecorded == len(recorded.clicks) - 1
    assert unknown.unrecorded == len(unknown.clicks)


def test_a_robot_that_a_node_lacks_or_has_in_another_version_is_named(worker, photos, tmp_path):
    file = tmp_path / "clicks.csv"
    file.write_text("dataset,image_stem,full_stem,click_type,x,y\nD,p0,p0,first,7,5\n")
    job = job_of("painting_models:discs", photos(2), robot=f"mix:recorded:{file}=0.5,ritm=0.5")
    task = task_of(job)
    file.write_text(file.read_text().replace("7,5", "7,6"))
    with pytest.raises(BadOption, match=r"^on node .*mix:recorded.* has version \d+ there, and \d+ where the run"):
        raise worker.begin(task).fault[0]
    file.unlink()
    with pytest.raises(BadOption, match=r"^on node .*recorded clicks .*clicks\.csv cannot be read: No such file"):
        raise worker.begin(task).fault[0]


def test_the_robot_of_the_job_before_is_kept(worker, photos, monkeypatch):
    task = task_of(job_of("painting_models:discs", photos(2)))
    assert worker.begin(task).environment
    monkeypatch.setattr(RobotReference, "load", lambda self: pytest.fail("it is loaded again"))
    assert worker.begin(task).environment
