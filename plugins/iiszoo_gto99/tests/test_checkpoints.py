"""Which checkpoints load, which are refused, and with which message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from iiszoo.errors import WeightsError
from iiszoo_gto99.checkpoints import PUBLISHED, Configuration, identify, load_gto99
from iiszoo_gto99.network import Network
from iiszoo_gto99.standardised import standardise

Save = Callable[[Any], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(state: Any) -> Path:
        torch.save(state, tmp_path / "file.pth")
        return tmp_path / "file.pth"

    return save


def test_weights_are_standardised_once(state: dict[str, Tensor], network: Network) -> None:
    assert torch.equal(network.encoder.conv1.weight, standardise(state["encoder.conv1.weight"]))
    plain = "decoder.usr_encoder.conv1.weight"
    assert torch.equal(network.get_parameter(plain), state[plain])
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_half_precision_becomes_float32(state: dict[str, Tensor], save: Save) -> None:
    network = load_gto99(save({key: value.half() for key, value in state.items()}))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_a_missing_or_foreign_entry_is_named(state: dict[str, Tensor], save: Save) -> None:
    missing = {key: value for key, value in state.items() if key != "decoder.ppm.2.1.bias"}
    with pytest.raises(WeightsError, match=r"does not fit gto99/resnet50: .*decoder\.ppm\.2\.1\.bias"):
        load_gto99(save(missing))
    with pytest.raises(WeightsError, match=r"does not fit gto99/resnet50: .*decoder\.more"):
        load_gto99(save({**state, "decoder.more": torch.zeros(1)}))


@pytest.mark.parametrize("configuration", [Configuration(m, u) for m in (True, False) for u in (True, False)])
def test_configurations_are_told_apart(configuration: Configuration, save: Save) -> None:
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in Network(*configuration).state_dict().items()}
    first = {
        key: torch.zeros(shape)
        for key, shape in shapes.items()
        if "usr_encoder.conv1" in key or key == "encoder.conv1.weight" or "guided" in key
    }
    assert identify(first) == configuration
    if configuration == PUBLISHED:
        with pytest.raises(WeightsError, match="does not fit"):
            load_gto99(save(first))
        return
    with pytest.raises(WeightsError) as raised:
        load_gto99(save(first))
    assert f"is GTO99 with {configuration}, not with mask_input=true&user_encoder=true" in str(raised.value)
    assert f"use --model gto99/resnet50?{configuration}" in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        {"image_encoder.pos_embed": torch.zeros(1)},  # SAM
        {"encoder.conv1.weight": torch.zeros(64, 11, 7, 7), "decoder.conv_up4.4.weight": torch.zeros(7, 16, 1, 1)},
        {"decoder.guided_map_conv1.weight": torch.zeros(1)},
    ],
)
def test_another_familys_checkpoint_is_said_to_be_one(content: Any, save: Save) -> None:
    with pytest.raises(WeightsError, match="is not a GTO99 checkpoint"):
        load_gto99(save(content))


@pytest.mark.parametrize("content", [[torch.zeros(3)], torch.nn.Linear(2, 3), {"optimizer": {}}])
def test_what_holds_no_state_dict_is_said_to_hold_none(content: Any, save: Save) -> None:
    with pytest.raises(WeightsError, match="has no state dict"):
        load_gto99(save(content))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"network": {f"model.{name}": value for name, value in state.items()}, "epoch": 3},
    ],
)
def test_what_was_written_round_a_state_dict_is_taken_off(wrap: Any, state: dict[str, Tensor], save: Save) -> None:
    network = load_gto99(save(wrap(state)))
    plain = "decoder.usr_encoder.conv1.weight"
    assert torch.equal(network.get_parameter(plain), state[plain])


def test_a_truncated_file_is_said_to_be_one(save: Save) -> None:
    file = save({"decoder.guided_map_conv1.weight": torch.zeros(5000)})
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(WeightsError, match="truncated"):
        load_gto99(file)
