"""Synthetic weights: the same for everybody, and those of the shared fixtures."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from iiszoo.models.synthetic_weights import Own, about, fill, normal, synthetic_weights

POSITIONS = ("pos_embed", "cls_token", "rel_pos_h", "rel_pos_w")
EMBEDDINGS = ("not_a_point_embed", "no_mask_embed", "iou_token", "mask_tokens", "point_embeddings.*")
OFFSETS = (
    "pos_embed_window", "no_mem_embed", "no_mem_pos_enc", "maskmem_tpos_enc", "no_obj_ptr", "no_obj_embed_spatial",
    "attention_biases", "latents", "latents_2d",
)  # fmt: skip


def recipes_own(click_scale: float) -> Own:
    """The recipe's rules R1, R4 to R7, R11 and R12: how it draws what the families of the fixtures name themselves."""
    return {
        "kernel": None,
        "positional_encoding_gaussian_matrix": normal(1),
        **{name: normal(0.02) for name in POSITIONS},
        "scale": about(click_scale),
        **{f"{name}.weight": normal(0.5) for name in EMBEDDINGS},
        **{name: normal(0.2) for name in OFFSETS},
        "gamma": about(0.1),
    }


def test_an_entry_depends_on_its_name_and_shape_alone() -> None:
    one = synthetic_weights({"a.weight": torch.zeros(2, 3), "b.bias": torch.zeros(4)})
    other = synthetic_weights({"b.bias": torch.ones(4), "a.weight": torch.ones(2, 3)})
    assert torch.equal(one["a.weight"], other["a.weight"])
    assert torch.equal(one["b.bias"], other["b.bias"])
    assert one["b.bias"].tolist() == pytest.approx([0.0366, -0.0241, 0.0668, -0.0550], abs=1e-4)


def test_an_entry_of_no_known_kind_is_named() -> None:
    with pytest.raises(KeyError, match=r"head\.gamma"):
        synthetic_weights({"head.gamma": torch.zeros(3)})


@pytest.mark.parametrize(
    ("pattern", "name", "known"),
    [
        ("gamma", "gamma", True),
        ("gamma", "blocks.0.gamma", True),
        ("gamma", "blocks.0.mygamma", False),
        ("tokens.weight", "decoder.tokens.weight", True),
        ("points.*.weight", "encoder.points.3.weight", True),
        ("points.*.weight", "points.3.weight", True),
        ("points.*.weight", "waypoints.3.weight", False),
    ],
)
def test_an_entry_of_ones_own_is_named_by_whole_parts(pattern: str, name: str, known: bool) -> None:
    state = {name: torch.zeros(2, 5)}
    own = {pattern: normal(0)}
    if name.endswith("weight") or known:
        assert bool(synthetic_weights(state, own=own)[name].any()) != known
    else:
        with pytest.raises(KeyError, match=name):
            synthetic_weights(state, own=own)


class Stencil(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.ones(3))


def test_a_network_is_filled_but_for_its_stencils() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Stencil())
    own = {"kernel": None}
    plain = {name: value.clone() for name, value in fill(network, own=own).state_dict().items()}
    scaled = fill(network, conv_gain=2, own=own).state_dict()
    assert torch.equal(scaled["0.weight"], 2 * plain["0.weight"])
    assert torch.equal(scaled["2.kernel"], torch.ones(3))
    same = ("0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked")
    assert all(torch.equal(scaled[name], plain[name]) for name in same)
    assert plain["1.running_var"].min() >= 1


def kind_of(name: str, shape: list[int], dtype: str) -> str:
    """What the recipe tells apart."""
    kind = name.rpartition(".")[2]
    if "int" in dtype:
        return "counter"
    if kind != "weight":
        return kind
    embedding = len(shape) == 2 and any(f"{part.removesuffix('.*')}." in name for part in EMBEDDINGS)
    return "embedding" if embedding else f"weight of {len(shape)} axes"


def test_the_shared_recipe_gives_the_same(shared: Path) -> None:
    recipe = runpy.run_path(str(shared / "parity" / "recipe.py"))
    lists = sorted((shared / "parity").glob("state_dicts*/[a-z]*.json"))
    assert {file.parent.name for file in lists} == {"state_dicts", "state_dicts_2026"}
    own = recipes_own(160.0)
    seen: set[tuple[str, tuple[int, ...]]] = set()
    kinds: set[str] = set()
    for file in lists:
        for name, shape, dtype in json.loads(file.read_text())["state_dict"]:
            # of large entries those of a kind that has no small one
            if (name, tuple(shape)) in seen or (np.prod(shape) > 1e5 and kind_of(name, shape, dtype) in kinds):
                continue
            seen.add((name, tuple(shape)))
            kinds.add(kind_of(name, shape, dtype))
            empty = torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
            expected = recipe["tensor"](name, shape, dtype, 0.8, 160.0)
            found = synthetic_weights({name: empty}, 0.8, own)
            assert (name in found) == (expected is not None), name
            if expected is not None:
                np.testing.assert_array_equal(found[name].numpy(), expected, err_msg=name)
    assert len(seen) > 1000
    torchs = {"bias", "running_mean", "running_var", *(f"weight of {n} axes" for n in (1, 2, 4))}
    assert kinds >= {name for name in own if not name.endswith("weight")} | torchs | {"embedding", "counter"}


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 1, 2)])
def test_every_rule_of_the_recipe(shared: Path, shape: tuple[int, ...], dtype: str) -> None:
    tensor = runpy.run_path(str(shared / "parity" / "recipe.py"))["tensor"]
    torchs = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = [name.replace("*", "1") for name in recipes_own(1)] + list(torchs)
    compared = 0
    for name in [*names, *(f"block.0.{name}" for name in names)]:
        try:
            expected = tensor(name, shape, dtype, 1.6, 20.0)
        except KeyError:
            continue
        if len(shape) != 2 and name.removesuffix(".weight").endswith(tuple(p.replace("*", "1") for p in EMBEDDINGS)):
            continue  # a rule for two axes only, and no network has such an entry of another number
        found = synthetic_weights({name: torch.empty(shape, dtype=getattr(torch, dtype))}, 1.6, recipes_own(20.0))
        assert (name in found) == (expected is not None), name
        if expected is not None:
            np.testing.assert_array_equal(found[name].numpy(), expected, err_msg=name)
            compared += 1
    assert compared > 30


def test_no_name_of_a_family_is_known() -> None:
    for name in recipes_own(1):
        if not name.endswith("weight"):
            with pytest.raises(KeyError, match=f"{name}"):
                synthetic_weights({f"block.{name}": torch.zeros(3)})
