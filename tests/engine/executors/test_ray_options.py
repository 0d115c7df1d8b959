"""What a Ray cluster is asked for, and what is refused before one is started."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import pytest

from iiszoo.cli.executor_options import executor_of
from iiszoo.cli.main import main
from iiszoo.engine.bench import bench
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.executors import InProcess, Job, Processes, ray_run
from iiszoo.engine.executors.ray_cluster import OnRay
from iiszoo.engine.robots import RobotReference
from iiszoo.errors import BadOption
from iiszoo.model_reference import FunctionReference


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n_workers": 0}, "number of workers must be at least 1, not 0"),
        ({"cpus": 0}, "cores of a worker must be at least 1, not 0"),
        ({"gpus": -1}, "GPUs of a worker must be a whole number or a fraction of one, not -1"),
        ({"gpus": 1.5}, "GPUs of a worker must be a whole number or a fraction of one, not 1.5"),
    ],
)
def test_numbers_that_ray_does_not_take(wrong, said):
    with pytest.raises(BadOption, match=said):
        OnRay(**wrong)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadOption, match=r'not installed; run `pip install "iiszoo\[ray\]"`'):
        OnRay()


@pytest.mark.parametrize(
    ("gpus", "device", "needs"),
    [
        (None, "cpu", {"CPU": 1}),
        (None, "cuda", {"CPU": 1, "GPU": 1}),
        (0.25, "cuda", {"CPU": 1, "GPU": 0.25}),
        (0, "cpu", {"CPU": 1}),
    ],
)
def test_a_worker_on_cuda_has_a_gpu_unless_it_shares_one(gpus, device, needs):
    assert OnRay(gpus=gpus).needs(device) == needs


@pytest.mark.parametrize(
    ("device", "gpus", "said"), [("cuda:1", None, "give --device cuda$"), ("cuda", 0, "--gpus-per-worker 1")]
)
def test_a_device_that_a_worker_does_not_see_is_refused(tmp_path, device, gpus, said):
    with pytest.raises(BadOption, match=said):
        bench("classic/geocut", "demo", device=device, out=tmp_path, executor=OnRay(gpus=gpus))


def test_an_executor_has_its_own_number_of_workers(tmp_path):
    with pytest.raises(BadOption, match="own number of workers"):
        bench("classic/geocut", "demo", out=tmp_path, n_workers=2, executor=InProcess())


def test_a_function_of_the_main_program_is_refused(monkeypatch):
    def model() -> None: ...

    held = types.ModuleType("__main__")
    model.__module__, model.__qualname__ = "__main__", "model"
    held.model = model
    monkeypatch.setitem(sys.modules, "__main__", held)
    job = Job(FunctionReference(model), "cpu", "demo", None, ResolvedProtocol(), 1, False, RobotReference("ritm"))
    with pytest.raises(BadOption, match=r"model is defined in the main program.*'module:function'"):
        ray_run._sendable(job)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, InProcess),
        ({"n_workers": 1}, InProcess),
        ({"n_workers": 3}, Processes),
        ({"executor": "ray", "cpus_per_worker": 2}, OnRay),
    ],
)
def test_the_options_name_an_executor(given, expected):
    unset = dict.fromkeys(["n_workers", "ray_address", "gpus_per_worker", "cpus_per_worker"])
    settings = {"device": "cpu", "executor": "local", **unset, **given}
    with executor_of(settings) as executor:
        assert type(executor) is expected
        if expected is OnRay:
            assert executor.threads == 2
    assert settings == {"device": "cpu"}


@pytest.mark.parametrize("verb", ["bench", "campaign"])
def test_options_of_ray_without_ray_are_refused(verb, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["iiszoo", verb, "-d", "demo", "-m", "classic/geocut", "--gpus-per-worker", "0.5"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--gpus-per-worker is for --executor ray alone" in capsys.readouterr().err


@pytest.mark.slow
def test_ray_is_imported_only_if_it_is_asked_for():
    code = (
        "import sys, iiszoo.cli.bench, iiszoo.engine.campaign.conduct\n"
        "from iiszoo.engine.executors.ray_cluster import OnRay\n"
        "OnRay(2)\n"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
