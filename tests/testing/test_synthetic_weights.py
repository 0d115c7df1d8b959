"""Synthetic weights: the same for everybody, and those of the shared fixtures."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from iiszoo.testing.synthetic_weights import fill, synthetic_weights


def test_an_entry_depends_on_its_name_and_shape_alone() -> None:
    one = synthetic_weights({"a.weight": torch.zeros(2, 3), "b.bias": torch.zeros(4)})
    other = synthetic_weights({"b.bias": torch.ones(4), "a.weight": torch.ones(2, 3)})
    assert torch.equal(one["a.weight"], other["a.weight"])
    assert torch.equal(one["b.bias"], other["b.bias"])
    assert one["b.bias"].tolist() == pytest.approx([0.0366, -0.0241, 0.0668, -0.0550], abs=1e-4)


def test_an_entry_of_no_known_kind_is_named() -> None:
    with pytest.raises(KeyError, match=r"head\.gamma"):
        synthetic_weights({"head.gamma": torch.zeros(3)})


class Stencil(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.ones(3))


def test_a_network_is_filled_but_for_its_stencils() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Stencil())
    plain = {name: value.clone() for name, value in fill(network).state_dict().items()}
    scaled = fill(network, conv_gain=2).state_dict()
    assert torch.equal(scaled["0.weight"], 2 * plain["0.weight"])
    assert torch.equal(scaled["2.kernel"], torch.ones(3))
    same = ("0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked")
    assert all(torch.equal(scaled[name], plain[name]) for name in same)
    assert plain["1.running_var"].min() >= 1


def test_the_shared_recipe_gives_the_same(shared: Path) -> None:
    recipe = runpy.run_path(str(shared / "parity" / "recipe.py"))
    lists = sorted((shared / "parity" / "state_dicts").glob("[a-z]*.json"))
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for file in lists:
        for name, shape, dtype in json.loads(file.read_text())["state_dict"]:
            if name.endswith(".kernel") or (name, tuple(shape)) in seen or np.prod(shape) > 1e5:
                continue
            seen.add((name, tuple(shape)))
            empty = torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
            ours = synthetic_weights({name: empty}, 0.8, 160.0)[name].numpy()
            np.testing.assert_array_equal(ours, recipe["tensor"](name, shape, dtype, 0.8, 160.0), err_msg=name)
    assert len(seen) > 1000
