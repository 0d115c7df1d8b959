"""RITM's networks train by `iiszoo train`, by the recipes that ship too, and the family reads what a run leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import iiszoo
from iiszoo.engine.training import config_file
from iiszoo.engine.training.run import train
from iiszoo.engine.training.start import find
from iiszoo.errors import WeightsError
from iiszoo.models.lightning import Optimisation
from iiszoo_ritm.cards import CARDS
from iiszoo_ritm.network import HEADS, NETWORKS, untrained

CARD = next(card for card in CARDS if card.id == "ritm/h18s")
SHORT = {"view": {"size": [64, 96]}, "run": {"steps": 2, "batch_size": 2}}


def test_a_network_of_the_family_trains_and_is_a_model(drawn_photographs: Path, tmp_path: Path) -> None:
    data = {
        "network": {"library": "iiszoo", "architecture": "ritm/h18s"},
        "data": [{"dataset": f"labels:{drawn_photographs}"}],
        "view": {"name": "object", "size": [64, 64]},
        "validation": {"held_out": 0.0, "times": 0},
        "run": {"steps": 1, "batch_size": 2, "workers": 0, "device": "cpu"},
    }
    train(config_file.from_data(data, "test"), tmp_path / "run", say=lambda _: None)
    model = iiszoo.load_model(str(tmp_path / "run"))
    session = iiszoo.Session(model, np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))
    assert session.click(20, 30).shape == (50, 70)
    more = config_file.from_data(
        {**{k: v for k, v in data.items() if k != "network"}, "start": str(tmp_path / "run")}, "test"
    )
    train(more, tmp_path / "more", say=lambda _: None)


def answers_alike(run: Path, state: dict[str, Any], size: tuple[int, int]) -> None:
    """The run's file is a checkpoint of the family, and answers as the network that was trained."""
    model = iiszoo.load_model("ritm/h18s", checkpoint=run / "last.safetensors")
    trained = NETWORKS["ritm/h18s"]()
    trained.load_state_dict(state)
    network = model.function.network.network
    own = network.state_dict()
    assert own.keys() == state.keys()
    assert all(torch.equal(own[name], value) for name, value in state.items())
    image, maps = torch.rand(1, 3, *size), torch.rand(1, 3, *size)
    with torch.inference_mode():
        assert torch.equal(network(image, maps), trained.eval()(image, maps))
    session = iiszoo.Session(model, (image[0].permute(1, 2, 0) * 255).byte().numpy())
    assert session.click(20, 30).shape == size


@pytest.mark.parametrize("name", ["ritm_coco_lvis", "ritm_sbd"])
def test_a_run_by_the_recipe_is_a_checkpoint_of_the_family(
    train_by_recipe: Callable[..., Any], drawn_photographs: Path, name: str
) -> None:
    run, state = train_by_recipe(name, f"labels:{drawn_photographs}", 60, **SHORT)
    rows = [row.split(",") for row in (run / "log.csv").read_text().splitlines()]
    losses = [float(row[rows[0].index("loss")]) for row in rows[1:]]
    assert len(losses) == 2
    assert all(np.isfinite(losses))
    start = NETWORKS["ritm/h18s"]().state_dict()
    assert state.keys() == start.keys(), "upstream's names"
    answers_alike(run, state, (64, 96))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ritm_coco_lvis", "ritm_sbd"])
def test_the_recipe_runs_on_photographs(train_by_recipe: Callable[..., Any], shared: Path, name: str) -> None:
    photographs = shared / "training" / "photographs" / "coco"
    if not photographs.is_dir():
        pytest.skip(f"there are no photographs in {photographs}")
    run, state = train_by_recipe(name, f"labels:{photographs}", 1000, run={"steps": 2, "batch_size": 2})
    answers_alike(run, state, (120, 160))


def test_the_loss_of_the_auxiliary_output_trains_its_head(
    train_by_recipe: Callable[..., Any], drawn_photographs: Path
) -> None:
    """Adam moves whatever has a gradient; the rates are 0.1 times those of OCR."""
    torch.manual_seed(0)
    before = untrained(CARD).state_dict()
    _, state = train_by_recipe("ritm_coco_lvis", f"labels:{drawn_photographs}", 60, **SHORT)
    moved = {
        part: (state[f"{part}.weight"] - before[f"{part}.weight"]).abs().max().item()
        for part in ("feature_extractor.aux_head.3", "feature_extractor.cls_head", "feature_extractor.conv3x3_ocr.0")
    }
    aux, cls, ocr = moved.values()
    assert 4e-5 < aux < 1.1e-4
    assert 4e-5 < cls < 1.1e-4
    assert 4e-4 < ocr < 1.1e-3


def test_learning_rates_are_those_of_upstreams_layout() -> None:
    """`LRMult` of `isegm/model/is_hrnet_model.py`: 0.1 for all of HRNet with both heads, but for OCR."""
    place = Path(__file__).parents[3] / "benchmarks" / "training"
    for name in ("ritm_coco_lvis", "ritm_sbd"):
        table = config_file.read(place / f"{name}.toml").optimiser
        assert (table.name, table.lr, table.weight_decay, table.options) == ("Adam", 5e-4, 0.0, {})
        rates = Optimisation(lr=table.lr, factors=table.factors)
        for parameter, _ in untrained(CARD).named_parameters():
            _, first, *_ = parameter.split(".")
            slow = parameter.startswith("feature_extractor.") and first not in ("conv3x3_ocr", "ocr_distri_head")
            assert rates.of(parameter) == pytest.approx(5e-5 if slow else 5e-4), parameter


def test_hrnets_imagenet_weights_are_a_start(tmp_path: Path) -> None:
    """As HRNet-Image-Classification saves them: a classifier beside the backbone, and no name of RITM's."""
    torch.manual_seed(5)
    file = tmp_path / "hrnet.pth"
    backbone = {
        name.removeprefix("feature_extractor."): value
        for name, value in untrained(CARD).state_dict().items()
        if name.startswith("feature_extractor.") and not name.startswith(HEADS)
    }
    more = {"classifier.weight": torch.zeros(9, 9), "incre_modules.0.0.conv1.weight": torch.zeros(9)}
    torch.save({**backbone, **more}, file)
    network = untrained(CARD)
    heads = {name: value.clone() for name, value in network.state_dict().items() if name.startswith(HEADS)}
    find(str(file)).put_into(network)
    state = network.state_dict()
    assert all(torch.equal(state[f"feature_extractor.{name}"], value) for name, value in backbone.items())
    assert all(torch.equal(state[name], value) for name, value in heads.items())
    del backbone["stage4.0.branches.0.0.conv1.weight"]
    torch.save(backbone, file)
    with pytest.raises(WeightsError, match=r"hrnet\.pth fits neither the network nor the backbone .*stage4"):
        find(str(file)).put_into(network)


def test_an_official_checkpoint_is_a_start(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = untrained(CARD).state_dict()
    file = tmp_path / "coco_lvis_h18s_itermask.pth"
    torch.save({"state_dict": state, "config": {}}, file)
    network = untrained(CARD)
    find(str(file)).put_into(network)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_initial_weights_are_upstreams() -> None:
    """`XavierGluon(rnd_type="gaussian", magnitude=2.0)` of `isegm/model/initializer.py`."""
    torch.manual_seed(0)
    weights = untrained(CARD).state_dict()
    weight = weights["feature_extractor.conv3x3_ocr.0.weight"]
    fans = 9 * (weight.shape[0] + weight.shape[1])
    assert float(weight.std()) == pytest.approx((2 / (fans / 2)) ** 0.5, rel=0.02)
    assert not weights["feature_extractor.conv3x3_ocr.0.bias"].any()
