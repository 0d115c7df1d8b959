"""`iiszoo average`: a network between a fine-tuned one and its start."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from iiszoo.cli.average import command
from iiszoo.engine.training.average_weights import average
from iiszoo.engine.training.config_file import from_data
from iiszoo.engine.training.networks import new_network
from iiszoo.engine.training.run import train
from iiszoo.errors import BadOption, UnknownId, WeightsError
from iiszoo.models import network_file


@pytest.fixture
def run(tiny, tmp_path):
    """A run of one step."""
    tiny["validation"]["times"] = 0
    tiny["run"]["steps"] = 1
    config = from_data(tiny, "test")
    train(config, tmp_path / "run", say=lambda _: None)
    return tmp_path / "run"


@pytest.fixture
def start(tiny, tmp_path):
    """Bare weights of the same network, named as in the library itself."""
    tiny["run"]["seed"] = 5
    state = new_network(from_data(tiny, "test")).state_dict()
    save_file({k.removeprefix("whole."): v.contiguous() for k, v in state.items()}, tmp_path / "start.safetensors")
    return tmp_path / "start.safetensors", state


def test_every_weight_lies_between_by_its_share(run, start, tmp_path):
    file, first = start
    out = tmp_path / "mean.safetensors"
    result = CliRunner().invoke(command, [str(run), str(file), "--share", "1", "--share", "3", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "25.0 %" in result.output
    last = network_file.load(run / "last.safetensors").network.state_dict()
    found = network_file.load(out)
    for name, value in found.network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * last[name] + 0.75 * first[name], atol=1e-3, rtol=1e-3)
    assert found.facts["training"]["average"] == {str(run): 0.25, str(file): 0.75}
    assert found.facts["training"]["datasets"]


def test_the_average_of_a_network_with_itself_is_that_network_and_a_model(run, tmp_path):
    assert average([str(run), str(run / "last.safetensors")], tmp_path / "same.safetensors") == [0.5, 0.5]
    same, alone = (network_file.load(path) for path in (tmp_path / "same.safetensors", run / "last.safetensors"))
    for name, value in same.network.state_dict().items():
        assert torch.equal(value, alone.network.state_dict()[name]), name
    assert (same.description, same.sighting) == (alone.description, alone.sighting)


def test_what_cannot_be_averaged_is_said_and_nothing_is_written(run, start, tmp_path):
    file, _ = start
    out = tmp_path / "mean.safetensors"
    other = tmp_path / "other.safetensors"
    save_file({"some.weight": torch.zeros(3)}, other)
    for sources, shares, error, words in [
        ([run], None, BadOption, "at least two"),
        ([run, file], [1.0], BadOption, "2 networks, but 1 share"),
        ([run, file], [1.0, 0.0], BadOption, "above 0"),
        ([file, run], None, WeightsError, "does not describe its network"),
        ([run, other], None, WeightsError, "other.safetensors"),
        ([run, "no/model"], None, UnknownId, "no/model"),
        (["ritm/h18s", run], None, BadOption, "ritm/h18s"),
    ]:
        with pytest.raises(error, match=words):
            average([str(source) for source in sources], out, shares)
    assert not out.exists()
