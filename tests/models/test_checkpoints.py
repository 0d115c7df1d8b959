"""A family's checkpoints: strictly what the network wants, and one sentence that says what a wrong file is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from iiszoo.errors import WeightsError
from iiszoo.models.checkpoints import load_network

FAMILY = {
    "toy/small": lambda: nn.Linear(2, 3),
    "toy/large": lambda: nn.Linear(2, 300),
    "toy/large-sbd": lambda: nn.Linear(2, 300),
}


def save(state: object, folder: Path) -> Path:
    torch.save(state, folder / "w.pth")
    return folder / "w.pth"


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "config": {"width": 3}}])
def test_a_network_is_filled_and_ready_to_answer(wrap: object, tmp_path: Path) -> None:
    state = nn.Linear(2, 3).half().state_dict()
    network = load_network("toy/small", save(wrap(state), tmp_path), FAMILY)  # type: ignore[operator]
    assert not network.training
    assert not any(value.requires_grad for value in network.parameters())
    assert torch.equal(network.weight, state["weight"].float())
    assert network(torch.ones(1, 2)).shape == (1, 3)


def test_unused_entries_are_passed_over_by_name_only(tmp_path: Path) -> None:
    file = save({**nn.Linear(2, 3).state_dict(), "cls_token": torch.zeros(1)}, tmp_path)
    assert load_network("toy/small", file, FAMILY, frozenset({"cls_token", "head.bias"}))
    with pytest.raises(WeightsError, match="it has an unknown cls_token; give a file of toy/small"):
        load_network("toy/small", file, FAMILY, frozenset({"head.bias"}))


def test_a_file_of_the_familys_other_models_is_named(tmp_path: Path) -> None:
    file = save(nn.Linear(2, 300).state_dict(), tmp_path)
    with pytest.raises(WeightsError, match=r"w\.pth holds the weights of toy/large or toy/large-sbd, not of toy/small"):
        load_network("toy/small", file, FAMILY)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({}, "none of toy's models: it has no bias, and 1 more"),
        ({"weight": torch.zeros(3, 2)}, "it has no bias;"),
        ({"weight": torch.zeros(4, 2), "bias": torch.zeros(3)}, r"its weight has the shape \(4, 2\), not \(3, 2\)"),
        ({"state_dict": {"weight": 1}}, "holds no state dict"),
        ([torch.zeros(3)], "holds no state dict"),
    ],
)
def test_a_file_of_none_of_them_is_told_by_its_first_fault(state: object, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=complaint):
        load_network("toy/small", save(state, tmp_path), FAMILY)
