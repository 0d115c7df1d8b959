"""SimpleClick's networks train by the recipes that ship, and the family reads what a run leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import iiszoo
from iiszoo.engine.training.start import find
from iiszoo.errors import WeightsError
from iiszoo_simpleclick.cards import CARDS
from iiszoo_simpleclick.network import NETWORKS, untrained

XTINY = next(card for card in CARDS if card.id == "simpleclick/xtiny")
SHORT = {
    "network": {"architecture": "simpleclick/xtiny"},
    "view": {"size": [224, 224]},
    "run": {"steps": 2, "batch_size": 1},
}


def answers_alike(run: Path, state: dict[str, Any], model: str) -> None:
    """The run's file is a checkpoint of the family, and answers as the network that was trained."""
    loaded = iiszoo.load_model(model, checkpoint=run / "last.safetensors")
    trained = NETWORKS[model]()
    trained.load_state_dict(state)
    network = loaded.function.network.network
    own = network.state_dict()
    assert own.keys() == state.keys()
    assert all(torch.equal(own[name], value) for name, value in state.items())
    image, maps = torch.rand(1, 3, 224, 224), torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(network(image, maps), trained.eval()(image, maps))
    session = iiszoo.Session(loaded, np.random.default_rng(0).integers(0, 255, (60, 70, 3), dtype=np.uint8))
    assert session.click(20, 30).shape == (60, 70)


@pytest.mark.parametrize("name", ["simpleclick_coco_lvis", "simpleclick_sbd"])
def test_a_run_by_the_recipe_is_a_checkpoint_of_the_family(
    train_by_recipe: Callable[..., Any], drawn_photographs: Path, name: str
) -> None:
    run, state = train_by_recipe(name, f"labels:{drawn_photographs}", 60, **SHORT)
    answers_alike(run, state, "simpleclick/xtiny")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simpleclick_coco_lvis", "simpleclick_sbd"])
def test_the_recipe_runs_on_photographs(train_by_recipe: Callable[..., Any], shared: Path, name: str) -> None:
    """With the smallest network, at the recipe's size."""
    photographs = shared / "training" / "photographs" / "coco"
    if not photographs.is_dir():
        pytest.skip(f"there are no photographs in {photographs}")
    changes = {"network": SHORT["network"], "run": SHORT["run"]}
    run, state = train_by_recipe(name, f"labels:{photographs}", 1000, **changes)
    answers_alike(run, state, "simpleclick/xtiny")


def test_maes_weights_are_a_start(tmp_path: Path) -> None:
    """As MAE saves them: under `model`, for images of 224 x 224, with a class token and a norm at the end."""
    torch.manual_seed(5)
    backbone = {
        name.removeprefix("backbone."): value
        for name, value in untrained(XTINY).state_dict().items()
        if name.startswith("backbone.")
    }
    dim = backbone["pos_embed"].shape[2]
    backbone["pos_embed"] = torch.randn(1, 1 + 14 * 14, dim)
    file = tmp_path / "mae.pth"
    torch.save({"model": {**backbone, "cls_token": torch.zeros(1, 1, dim), "norm.weight": torch.ones(dim)}}, file)
    network = untrained(XTINY)
    find(str(file)).put_into(network)
    state = network.state_dict()
    for name, value in backbone.items():
        if name != "pos_embed":
            assert torch.equal(state[f"backbone.{name}"], value), name
    maps = backbone["pos_embed"][:, 1:].reshape(1, 14, 14, dim).permute(0, 3, 1, 2)
    resized = F.interpolate(maps, size=(28, 28), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    expected = torch.cat((backbone["pos_embed"][:, :1], resized.flatten(1, 2)), 1)
    assert torch.allclose(state["backbone.pos_embed"], expected, atol=1e-6)
    del backbone["blocks.0.attn.qkv.weight"]
    torch.save({"model": backbone}, file)
    with pytest.raises(WeightsError, match=r"fits neither the network nor the backbone .*blocks\.0\.attn\.qkv\.weight"):
        find(str(file)).put_into(network)


def test_initial_weights_are_upstreams() -> None:
    torch.manual_seed(0)
    weights = untrained(XTINY).state_dict()
    assert float(weights["backbone.pos_embed"].std()) == pytest.approx(0.02, rel=0.02)
    qkv = weights["backbone.blocks.0.attn.qkv.weight"]
    assert float(qkv.abs().max()) == pytest.approx((6 / sum(qkv.shape)) ** 0.5, rel=0.01)
    fusion = weights["head.fusion_conv.conv.weight"]
    assert float(fusion.std()) == pytest.approx((2 / fusion.shape[0]) ** 0.5, rel=0.02)


def test_a_tenth_of_the_heads_channels_is_dropped_in_training_alone() -> None:
    network = untrained(XTINY)
    features = torch.ones(1, network.head.conv_seg.in_channels, 2, 2)
    network.train()
    dropped = torch.stack([network.head.dropout(features)[0, :, 0, 0] == 0 for _ in range(60)]).float().mean()
    assert 0.08 < float(dropped) < 0.12
    assert torch.equal(network.eval().head.dropout(features), features)
