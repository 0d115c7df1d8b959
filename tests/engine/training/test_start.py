"""`iiszoo train --from`: fine-tuning."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file

from iiszoo.engine.training import config_file
from iiszoo.engine.training.config import NetworkTable, OptimiserTable
from iiszoo.engine.training.networks import new_network
from iiszoo.engine.training.run import train
from iiszoo.engine.training.start import find, network_table
from iiszoo.errors import BadOption, UnknownId, WeightsError
from iiszoo.models import network_file


def _config(data, **changes):
    return config_file.from_data({**data, **changes}, "test")


@pytest.fixture
def still(tiny):
    """A configuration that does not change the weights."""
    tiny["validation"]["times"] = 0
    tiny["run"]["steps"] = 1
    tiny["optimiser"] |= {"lr": 1e-30, "ema": 0.0, "weight_decay": 0.0}
    return tiny


@pytest.fixture
def parent(still, tmp_path):
    """A run, and its network's weights."""
    train(_config(still), tmp_path / "parent", say=lambda _: None)
    return tmp_path / "parent", network_file.load(tmp_path / "parent/last.safetensors").network.state_dict()


def _weights(state):
    """The weights without the running statistics of batch norm, which change without gradients."""
    return {name: value for name, value in state.items() if "running" not in name and "num_batches" not in name}


@pytest.mark.parametrize("form", ["run", "file", "bare file", "bare file with prefix"])
def test_it_goes_on_from_a_run_its_file_or_bare_weights(still, parent, tmp_path, form):
    run, state = parent
    start = {"run": run, "file": run / "last.safetensors"}.get(form, tmp_path / "bare.safetensors")
    still["run"]["seed"] = 5
    if form.startswith("bare"):
        cut = "" if form.endswith("prefix") else "whole."
        save_file({name.removeprefix(cut): value.contiguous() for name, value in state.items()}, start)
    else:
        del still["network"]  # taken from the parent
    said = []
    train(_config(still, start=str(start)), tmp_path / "child", say=said.append)
    assert any(line.startswith("starts from") for line in said)
    child = _weights(network_file.load(tmp_path / "child/last.safetensors").network.state_dict())
    random = _weights(
        new_network(
            _config({**still, "network": json.loads((run / "config.json").read_text())["network"]})
        ).state_dict()
    )
    assert child.keys() == _weights(state).keys()
    assert all(torch.equal(value, state[name]) for name, value in child.items())
    assert not all(torch.allclose(value, random[name], atol=1e-3) for name, value in child.items())
    config = json.loads((tmp_path / "child/config.json").read_text())
    assert config["network"]["encoder"] == "tu-test_efficientnet"
    assert config["start"] == str(start)


def test_a_resumed_run_does_not_start_again(tiny, parent, tmp_path):
    tiny["validation"]["times"] = 0
    del tiny["network"]
    for name, cuts in (("whole", [6]), ("parts", [2, 6])):
        for n in cuts:
            config = _config({**tiny, "run": {**tiny["run"], "steps": n}}, start=str(parent[0]))
            config = dataclasses.replace(config, optimiser=OptimiserTable(schedule="constant", warm_up=0))
            train(config, tmp_path / name, resume=n > cuts[0], say=lambda _: None)
    one, other = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in ("whole", "parts")
    )
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("start", "error", "said"),
    [
        ("nothing.safetensors", WeightsError, "there is no file nothing.safetensors"),
        ("no-model", UnknownId, "no model is called"),
        ("classic/geocut", BadOption, "cannot be trained: its card names no `network`"),
    ],
)
def test_what_nothing_can_start_from_is_named(tiny, tmp_path, start, error, said):
    with pytest.raises(error, match=said):
        train(_config(tiny, start=start), tmp_path / "run", say=lambda _: None)


def test_weights_of_another_network_are_named(tiny, parent, tmp_path):
    tiny["network"]["options"] = {"decoder_channels": [32, 16, 8, 8, 4]}
    with pytest.raises(BadOption, match=r"network\.options is .* in the configuration, but"):
        train(_config(tiny, start=str(parent[0])), tmp_path / "run", say=lambda _: None)
    save_file({"whole.x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="does not fit the network"):
        train(_config(tiny, start=str(tmp_path / "other.safetensors")), tmp_path / "run2", say=lambda _: None)
    tiny["network"]["encoder_weights"] = "imagenet"
    with pytest.raises(BadOption, match="exclude each other"):
        train(_config(tiny, start=str(parent[0])), tmp_path / "run3", say=lambda _: None)


def test_the_model_that_ships_can_be_started_from():
    start = find("smp")
    assert start.description is not None
    assert start.description.encoder == "tu-tf_efficientnet_lite0"
    table = network_table(start, NetworkTable())
    assert table.options == {"decoder_channels": [160, 96, 64, 32, 16]}
