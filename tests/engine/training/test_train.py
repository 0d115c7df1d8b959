"""Runs of `iiszoo train`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from iiszoo.engine.training import config_file
from iiszoo.engine.training.run import train
from iiszoo.errors import BadOption, RunError, UnknownId
from iiszoo.models import network_file


def _config(data, **run):
    return config_file.from_data({**data, "run": {**data["run"], **run}}, "test")


def test_a_run_leaves_networks_that_answer(tiny, tmp_path):
    said = []
    facts = train(_config(tiny), tmp_path / "run", say=said.append)
    assert [v["step"] for v in facts["validations"]] == [3, 6]
    assert (tmp_path / "run/log.csv").read_text().startswith("step,seconds,loss,")
    for name in ("last", "best"):
        found = network_file.load(tmp_path / f"run/{name}.safetensors")
        model = found.model()
        x = torch.rand(1, 3, 50, 70)
        y, _ = model(x, model.init_z(x), [[[(20, 30)]]], [[[]]])
        assert y.shape == (1, 1, 50, 70)
        assert found.description.encoder == "tu-test_efficientnet"
    assert json.loads((tmp_path / "run/run.json").read_text())["state"] == "finished"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_was_cut_in_two_is_the_same_run(tiny, tmp_path, workers):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    tiny["validation"]["times"] = 0
    tiny["optimiser"]["schedule"] = "constant"
    train(_config(tiny), whole, say=lambda _: None)
    train(_config(tiny, steps=2, workers=workers), parts, say=lambda _: None)
    with pytest.raises(RunError, match="--resume"):
        train(_config(tiny), parts)
    train(_config(tiny, workers=workers), parts, resume=True, say=lambda _: None)
    one, other = (torch.load(place / "last.ckpt", weights_only=True) for place in (whole, parts))
    assert one["global_step"] == other["global_step"] == 6
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name


def test_a_signal_ends_a_run_with_a_checkpoint(tiny, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    tiny["validation"]["times"] = 0
    train(_config(tiny), whole, say=lambda _: None)

    def stop(line):
        if line.startswith("step 3"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(_config(tiny), parts, say=stop)
    assert torch.load(parts / "last.ckpt", weights_only=True)["global_step"] == 3
    train(_config(tiny), parts, resume=True, say=lambda _: None)
    one, other = (torch.load(place / "last.ckpt", weights_only=True)["state_dict"] for place in (whole, parts))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_compiled_run_can_go_on_without_the_compiler(tiny, tmp_path, monkeypatch):
    compile = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compile(module, backend="eager"))  # in seconds
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    tiny["validation"]["times"] = 0
    tiny["optimiser"]["schedule"] = "constant"
    train(_config(tiny), whole, say=lambda _: None)
    train(_config(tiny, steps=3, compile=True), parts, say=lambda _: None)
    train(_config(tiny), parts, resume=True, say=lambda _: None)
    one, other = (torch.load(place / "last.ckpt", weights_only=True)["state_dict"] for place in (whole, parts))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("robot", ["ritm", "noisy-ritm:sigma=0.3", "random-false"])
def test_any_robot_makes_the_further_clicks_and_any_transform_the_view(tiny, tmp_path, robot):
    tiny["validation"]["times"] = 0
    tiny["clicks"].update(robot=robot, further=[0, 0, 1])
    tiny["view"] = {"name": "transform", "size": [64, 64], "degrees": 5.0}
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        train(_config(tiny, steps=2), run, say=lambda _: None)
    one, two = (torch.load(run / "last.ckpt", weights_only=True)["state_dict"] for run in runs)
    assert all(torch.equal(value, two[name]) for name, value in one.items()), "chance is the seed's alone"
    tiny["clicks"]["robot"] = "ritn"
    with pytest.raises(UnknownId, match="no robot"):
        train(_config(tiny, steps=2), tmp_path / "three", say=lambda _: None)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from iiszoo.engine.training import config_file
from iiszoo.engine.training.run import train

def kill(line):
    if line.startswith("step 5"):
        os.kill(os.getpid(), signal.SIGKILL)

train(config_file.from_data(json.loads(sys.argv[1]), "test"), Path(sys.argv[2]), say=kill)
"""


def test_a_run_that_is_killed_and_resumed_is_the_same_run(tiny, tmp_path):
    """kill -9 in the fifth step: the checkpoint is that of the fourth."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tiny["validation"]["times"] = 0
    tiny["run"]["checkpoint_minutes"] = 0
    train(_config(tiny), whole, say=lambda _: None)
    done = subprocess.run([sys.executable, "-c", KILLED, json.dumps(tiny), str(killed)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert torch.load(killed / "last.ckpt", weights_only=True)["global_step"] == 4
    train(_config(tiny), killed, resume=True, say=lambda _: None)
    one, other = (torch.load(place / "last.ckpt", weights_only=True)["state_dict"] for place in (whole, killed))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_another_configuration_does_not_go_on_in_a_runs_place(tiny, tmp_path):
    tiny["validation"]["times"] = 0
    train(_config(tiny, steps=1), tmp_path, say=lambda _: None)
    with pytest.raises(RunError, match=r"run\.seed differs"):
        train(_config(tiny, steps=1, seed=3), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("run", "step", 3, "run.step is unknown; did you mean steps"),
        ("run", "steps", "many", "run.steps must be of type int"),
        ("optimiser", "schedule", "cosin", "cosine, constant or step"),
        ("validation", "held_out", 1.5, "below 1"),
        ("clicks", "further", [], "probabilities"),
        ("view", "name", "objekt", "did you mean object"),
        ("view", "sighs", 3, "view object has no option sighs"),
        ("network", "encoder", "tu-nothing", "cannot build unet with the encoder tu-nothing"),
        ("network", "architecture", "unett", "no architecture 'unett'"),
        ("network", "fusion", "late", "known: early, intermediate"),
        ("optimiser", "name", "Adem", "no optimiser 'Adem'"),
    ],
)
def test_a_wrong_line_is_named(tiny, tmp_path, table, key, value, said):
    tiny[table][key] = value
    with pytest.raises(BadOption, match=said.replace(".", r"\.")):
        train(_config(tiny), tmp_path / "run", say=lambda _: None)
