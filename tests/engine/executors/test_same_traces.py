"""All executors write the same traces, byte for byte but for times, also where one goes on with another's run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iiszoo.engine.bench import bench
from iiszoo.engine.campaign.conduct import campaign
from iiszoo.engine.campaign.plan import Plan
from iiszoo.engine.campaign.training import Recipe
from iiszoo.engine.executors import InProcess, Processes, ray_run
from iiszoo.engine.executors.ray_cluster import OnRay
from iiszoo.engine.executors.ray_worker import Task
from iiszoo.engine.runs import store

MODEL = "painting_models:RaggedRemembering"
TIMES = re.compile(r'"\w+_seconds":(\[[^]]*\]|[^,}]*)')


def lines_of(directory: Path) -> list[str]:
    """The lines of a run's traces without their times, in the order of their samples."""
    lines = [line for file in directory.glob("samples*.jsonl") for line in file.read_text().splitlines()]
    return sorted(TIMES.sub("", line) for line in lines)


@pytest.fixture
def run(photos, tmp_path):
    """`run(executor, out, ...)`: the lines of a bench of ten samples in five images of two sizes."""
    folder = photos(5, sizes=[(40, 56), (33, 47)], objects=2)

    def run(executor, out, **how):
        (summary,) = bench(
            MODEL, folder, out=tmp_path / out, executor=executor, **{"max_clicks": 4, "target_iou": 0.85, **how}
        )
        return lines_of(Path(summary["directory"]))

    return run


def test_processes_write_what_this_process_writes(run):
    alone = run(InProcess(), "alone")
    assert len(alone) == 10
    assert run(Processes(2), "spread", batch_size=4) == alone
    part = run(InProcess(), "joined", limit=3)
    assert len(part) == 3
    assert run(Processes(2), "joined") == alone


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
def test_the_three_write_the_same(run):
    with OnRay(2) as on_ray:
        for robot in ("ritm", "random-false"):
            alone = run(InProcess(), f"alone-{robot}", robot=robot)
            assert sum(line.count('"clicks":[]') for line in alone) < 10
            for batch_size in (1, 4):
                how = {"robot": robot, "batch_size": batch_size}
                assert run(on_ray, f"ray-{robot}-{batch_size}", **how) == alone
        begun_here = run(InProcess(), "here-ray", limit=3)
        assert len(begun_here) == 3
        assert run(on_ray, "here-ray") == run(InProcess(), "alone-ritm", robot="ritm")
        assert len(run(on_ray, "ray-processes", limit=5, batch_size=4)) == 5
        assert run(Processes(2), "ray-processes") == run(InProcess(), "alone-ritm", robot="ritm")


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
def test_a_campaign_on_ray_is_the_one_in_this_process_and_its_segmenter_is_sent(
    photos, tmp_path, monkeypatch, cache_of_workers
):
    """The worker is not where the driver is: what has a relative path is not found there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_run, "Task", lambda *fields: Task(*fields)._replace(place="nowhere"))
    plan = Plan(Recipe("smp:unet/tu-test_efficientnet?size=32&weights=none", steps=3, lr=1e-2), "3", seeds=1, folds=0)
    folder, found = photos(6), []
    with OnRay(1) as on_ray:
        for executor, out in ((InProcess(), "here"), (on_ray, "ray")):
            place = campaign(folder, ["painting_models:discs"], plan, out=Path(out), max_clicks=3, executor=executor)
            files = sorted(place.rglob("samples.jsonl"))
            found.append([[trace.results() for trace in store.read_traces(file.parent)] for file in files])
    assert found[0] == found[1]
    assert any(trace["proposal"] for arm in found[0] for trace in arm)
    assert [file.name for file in cache_of_workers.glob("sent/*/*")] == ["segmenter-3.safetensors"]
