"""Runs on a Ray cluster that loses workers, nodes and its driver: nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from after_some import AfterSome

from iiszoo.engine.bench import bench
from iiszoo.engine.executors.ray_cluster import OnRay
from iiszoo.engine.runs import store
from iiszoo.errors import BadOption, DatasetError

FEW = {"max_clicks": 3, "target_iou": 0.9}


def where(summary) -> Path:
    return Path(summary["directory"])


def samples_of(directory: Path) -> list[str]:
    """The sample of every line, doubled ones included."""
    return sorted(trace.sample for trace in store.read_lines(directory))


@pytest.mark.slow
def test_a_node_is_lost_and_another_joins(ray_settings, photos, tmp_path, monkeypatch, results, caplog):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PAINTING_SECONDS", "0.3")  # of a click
    small = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "num_cpus": 0})
    try:
        nodes = [cluster.add_node(**small) for _ in range(2)]  # the third worker has no room
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        folder = photos(24)

        def lose_one_and_add_one():
            cluster.remove_node(nodes[0], allow_graceful=False)
            cluster.add_node(**small)
            waiting = [member.pending for member in on_ray.crew if not member.begun]
            assert ray.wait(waiting, timeout=200)[0], "the third worker begins there"

        with OnRay(3) as on_ray:
            (summary,) = bench(
                "painting_models:sleeping_discs", folder, out=tmp_path / "cluster", executor=on_ray,
                listener=AfterSome(4, lose_one_and_add_one), **FEW,
            )  # fmt: skip
            assert sum(member.begun for member in on_ray.crew) == 2
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert "a worker died" in caplog.text
    assert (summary["complete"], summary["n_failed"]) == (True, 0)
    assert samples_of(where(summary)) == sorted(f"p{n}" for n in range(24))
    monkeypatch.setenv("PAINTING_SECONDS", "0")
    (alone,) = bench("painting_models:sleeping_discs", folder, out=tmp_path / "alone", **FEW)
    assert results(where(summary)) == results(where(alone))


@pytest.mark.slow
def test_what_ends_workers_twice_has_failed_by_name_and_what_a_node_lacks_is_said(
    ray_settings, photos, tmp_path, monkeypatch, request
):
    monkeypatch.setenv("PAINTING_DIES", "1")
    request.getfixturevalue("ray_here")
    assert OnRay().wanted("cpu") == 2
    assert OnRay(cpus=2).wanted("cpu") == 1
    with OnRay(1) as on_ray:
        (summary,) = bench(
            "painting_models:mortal_discs", photos(5, marked=[2]), out=tmp_path / "out", executor=on_ray, **FEW
        )
        errors = {trace.sample: trace.error for trace in store.read_lines(where(summary))}
        assert sorted(errors) == [f"p{n}" for n in range(5)]
        assert [sample for sample, error in errors.items() if error is not None] == ["p2"]
        assert "its worker died twice, the second time with this sample alone" in errors["p2"]

        (tmp_path / "lonely.py").write_text("from painting_models import discs as model\n")
        monkeypatch.syspath_prepend(tmp_path)  # here, but not in the workers, which have started already
        with pytest.raises(BadOption, match=r"^on node .*no module 'lonely'"):
            bench("lonely:model", photos(2, "two"), out=tmp_path / "lonely", executor=on_ray, **FEW)
        shared = os.environ.get("IISZOO_SHARED")
        if shared:
            monkeypatch.setenv("IISZOO_DATA", f"{shared}/data")
            monkeypatch.delenv("IISZOO_SHARED")
            with pytest.raises(DatasetError, match=r"^on node .*grabcut"):
                bench("painting_models:discs", "grabcut", out=tmp_path / "g", executor=on_ray, limit=1, **FEW)


@pytest.mark.slow
def test_a_driver_that_is_killed_loses_only_what_was_in_flight(ray_settings, photos, tmp_path, monkeypatch, results):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]))
    monkeypatch.setenv("PAINTING_SECONDS", "0.2")
    folder = photos(12)
    command = [
        sys.executable, "-m", "iiszoo", "bench", "-m", "painting_models:sleeping_discs", "-d", folder,
        "--max-clicks", "3", "--target-iou", "0.9", "--out", str(tmp_path / "out"),
        "--executor", "ray", "--workers", "1",
    ]  # fmt: skip
    driver = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 240
    while not (lines := [*tmp_path.glob("out/*/samples.jsonl")]) or lines[0].read_bytes().count(b"\n") < 3:
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    kept = len(samples_of(lines[0].parent))
    assert 3 <= kept < 12
    monkeypatch.setenv("PAINTING_SECONDS", "0")
    (summary,) = bench("painting_models:sleeping_discs", folder, out=tmp_path / "out", **FEW)
    assert samples_of(where(summary)) == sorted(f"p{n}" for n in range(12))
    (alone,) = bench("painting_models:sleeping_discs", folder, out=tmp_path / "alone", **FEW)
    assert results(where(summary)) == results(where(alone))
