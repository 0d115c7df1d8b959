"""A family's checkpoints: strictly what the network wants, and one sentence that says what a wrong file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

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
    with pytest.raises(WeightsError, match=r"w\.pth has the weights of toy/large or toy/large-sbd, not of toy/small"):
        load_network("toy/small", file, FAMILY)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({}, r"has no state dict \(names with tensors\): it is an empty dict; give a file of toy/small"),
        ({"a": torch.zeros(1)}, "does not fit any toy model: it has no weight, bias; it has an unknown a;"),
        (
            {f"a{i}": torch.zeros(1) for i in range(99)},
            "it has no weight, bias; it has an unknown a0, a1, a2, and 96 more;",
        ),
        ({"weight": torch.zeros(3, 2)}, "it has no bias;"),
        ({"weight": torch.zeros(4, 2), "bias": torch.zeros(3)}, r"its weight has the shape \(4, 2\), not \(3, 2\)"),
        ({"state_dict": {"weight": 1}}, "has no state dict"),
        ({"weight": torch.zeros(3, 2, dtype=torch.int8), "bias": torch.zeros(3)}, "its weight is of type torch.int8"),
        ({"weight": torch.zeros(3, 2, device="meta"), "bias": torch.zeros(3)}, "its weight has no values"),
        (
            {"weight": torch.zeros(3, 2).to_sparse(), "bias": torch.zeros(3)},
            "its weight is a sparse or quantized tensor",
        ),
        ([torch.zeros(3)], r"has no state dict \(names with tensors\): it is a list; give a file of toy/small"),
        (torch.zeros(3), "it is a Tensor"),
        (7, "it is an int"),
        ({0: torch.zeros(3)}, "its keys are not names, for example 0"),
        (
            {"weight": torch.zeros(3, 2), "epoch": 3},
            r"besides tensors it has 'epoch' \(an int\); save only the network's",
        ),
        ({"epoch": 3, "best": 0.9}, r"it has 'epoch' \(an int\), 'best' \(a float\)"),
        (
            {"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}, "epoch": 3},
            "only the state of an optimizer",
        ),
        (torch.optim.Adam([nn.Parameter(torch.zeros(3))]).state_dict(), "only the state of an optimizer"),
        (nn.Linear(2, 3), r"a whole network or another object, pickled with its class; save only its state_dict\(\)"),
        ({"model": nn.Linear(2, 3), "epoch": 3}, r"'model' is a whole network, .*; save only its state_dict\(\)"),
        ({"\x1b[31mred": torch.zeros(1)}, r"an unknown '\\x1b\[31mred'"),
        ({"x" * 5000: torch.zeros(1)}, r"an unknown x{77}\.\.\.;"),
    ],
)
def test_a_file_of_none_of_them_is_told_by_its_first_fault(state: object, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=complaint):
        load_network("toy/small", save(state, tmp_path), FAMILY)


class Nested(nn.Module):
    """A network whose own names all begin with `model.`, as DataParallel's and Lightning's do with theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"module": nn.Linear(2, 3), "head": nn.Linear(3, 1)})


class TwoParts(nn.Module):
    """One of names that share nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
        self.head = nn.Linear(2, 1)


KINDS = {"toy/nested": Nested, "toy/parts": TwoParts, "toy/linear": lambda: nn.Linear(2, 3)}


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


WRAPPED: list[tuple[Any, str]] = [
    (lambda state: state, ""),
    (lambda state: {"state_dict": state, "config": {"class": "a.b"}}, ""),
    (lambda state: {"state_dict": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3}, ""),
    *[
        (lambda state, key=key: {"epoch": 3, key: state, "args": {"lr": 0.1}}, f"under '{key}'")
        for key in ("model", "model_state_dict", "network", "net", "ema", "params", "weights", "my_network")
    ],
    (lambda state: {"ema": {"module": state}}, "under 'ema.module'"),
    (lambda state: {"checkpoint": {"model": {"state_dict": state}}}, "under 'checkpoint.model.state_dict'"),
    *[
        (lambda state, prefix=prefix: prefixed(state, prefix), f"without the prefix '{prefix}'")
        for prefix in (
            "module.",
            "model.",
            "net.",
            "_orig_mod.",
            "module.model.",
            "network.module._orig_mod.",
            "x.y.z.",
        )
    ],
    (
        lambda state: {"model": prefixed(state, "module."), "epoch": 1},
        "under 'model', without the prefix 'module.' that all its names share",
    ),
    (lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2"}, "prefix 'model.'"),
    (
        lambda state: {name.replace(".", "._orig_mod.", 1) if "." in name else name: v for name, v in state.items()},
        "without the parts '_orig_mod'",
    ),
]


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize(("wrap", "said"), WRAPPED)
def test_what_was_written_round_a_state_dict_is_taken_off_and_said(
    wrap: Any, said: str, model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    state = KINDS[model]().state_dict()
    network = load_network(model, save(wrap(state), tmp_path), KINDS)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    if said and wrap(state).keys() != state.keys():
        assert said in caplog.text
        assert len(caplog.records) == 1
    else:
        assert not caplog.records


steps = st.sampled_from(["module", "model", "net", "_orig_mod", "backbone", "a", "0"])


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(sorted(KINDS)),
    keys=st.lists(st.sampled_from(["model", "state_dict", "ema", "network", "odd"]), max_size=3),
    prefix=st.lists(steps, max_size=4),
)
def test_any_dicts_and_prefixes_are_taken_off(
    model: str, keys: list[str], prefix: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = KINDS[model]().state_dict()
    content: Any = prefixed(state, "".join(f"{step}." for step in prefix))
    for key in keys:
        content = {"epoch": 1, key: content}
    network = load_network(model, save(content, tmp_path_factory.getbasetemp()), KINDS)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("model", KINDS)
def test_strictly_all_the_same(model: str, tmp_path: Path) -> None:
    state = prefixed(KINDS[model]().state_dict(), "module.")
    more = {**state, "module.more": torch.zeros(1)}
    less = dict([*state.items()][1:])
    beside = {**state, "criterion.weight": torch.zeros(1)}
    for content, said in (
        (
            {"model": more},
            r"its state dict \(under 'model', without the prefix 'module\.' .*\): it has an unknown more",
        ),
        (less, r"without the prefix 'module\.' .*: it has no "),
        (beside, "it has an unknown "),
    ):
        with pytest.raises(WeightsError, match=f"does not fit any toy model: .*{said}"):
            load_network(model, save(content, tmp_path), KINDS)


def test_another_model_is_named_through_all_that_lies_round_it(tmp_path: Path) -> None:
    file = save({"net": prefixed(TwoParts().state_dict(), "module.")}, tmp_path)
    with pytest.raises(WeightsError, match="has the weights of toy/parts, not of toy/linear"):
        load_network("toy/linear", file, KINDS)


def test_weights_that_were_trained_go_before_their_average(tmp_path: Path) -> None:
    mine, average = nn.Linear(2, 3).state_dict(), nn.Linear(2, 3).state_dict()
    network = load_network("toy/linear", save({"ema": average, "model": mine}, tmp_path), KINDS)
    assert torch.equal(network.weight, mine["weight"])
    # a part of another shape, under a usual key, is not what is meant
    network = load_network("toy/linear", save({"ema": average, "model": nn.Linear(2, 4).state_dict()}, tmp_path), KINDS)
    assert torch.equal(network.weight, average["weight"])


def test_two_that_fit_under_keys_that_say_nothing_are_not_guessed(tmp_path: Path) -> None:
    states = {name: nn.Linear(2, 3).state_dict() for name in ("a", "b")}
    with pytest.raises(WeightsError, match="several state dicts that fit toy/linear, under 'a' and under 'b'"):
        load_network("toy/linear", save(states, tmp_path), KINDS)
