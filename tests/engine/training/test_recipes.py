"""The recipes of papers in benchmarks/training; the families' own tests train by them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from iiszoo.engine.training import config_file, data
from iiszoo.engine.training.config import DataTable
from iiszoo.engine.training.run import train
from iiszoo.errors import BadOption, WeightsError
from iiszoo.models.lightning import Clock, Optimisation

PLACE = Path(__file__).parents[3] / "benchmarks/training"
EPOCHS = {
    "ritm_coco_lvis": (30_000, 32, 230, (200, 220)),
    "ritm_sbd": (8498, 28, 220, (200, 215)),
    "simpleclick_coco_lvis": (30_000, 32, 55, (50,)),
    "simpleclick_sbd": (8498, 32, 55, (50,)),
}
"""Samples of an epoch, batch size, epochs, and after which of them the rate falls, by upstream's files."""


def _recipe(name):
    return config_file.read(PLACE / f"{name}.toml")


@pytest.mark.parametrize("name", [path.stem for path in sorted(PLACE.glob("*.toml"))])
def test_every_configuration_that_ships_parses(name):
    config = _recipe(name)
    assert config_file.from_data(config_file.as_data(config), name) == config
    for table in config.data:
        for selector in table.selector:
            data.configured(data.SELECTORS, selector, "selector")


@pytest.mark.parametrize("name", EPOCHS)
def test_the_rate_falls_in_the_step_in_which_upstreams_does(name):
    samples, batch, epochs, drops = EPOCHS[name]
    config = _recipe(name)
    per_epoch = samples // batch
    assert (config.run.steps, config.run.batch_size) == (epochs * per_epoch, batch)
    table = config.optimiser
    rates = Optimisation(warm_up=table.warm_up, schedule=table.schedule, drops=table.drops)
    clock = Clock(config.run.steps, None)

    def factor(step):
        return rates.factor(step, clock.progress(step))

    falls = [0, *(drop * per_epoch for drop in drops), config.run.steps]
    for k, (first, end) in enumerate(itertools.pairwise(falls)):
        assert factor(first) == pytest.approx(0.1**k)
        assert factor(end - 1) == pytest.approx(0.1**k)


@pytest.mark.parametrize("name", EPOCHS)
def test_samples_are_drawn_on_label_maps(name, tmp_path):
    """Crop of the recipe's size, 1 to 24 and 0 to 24 clicks, all of them in the crop."""
    rng = np.random.default_rng(0)
    for n in range(3):
        labels = np.zeros((400, 520), np.uint8)
        labels[60:300, 50:250] = 1
        labels[150:390, 280:480] = 2
        cv2.imwrite(str(tmp_path / f"p{n}.png"), rng.integers(0, 255, (400, 520, 3), dtype=np.uint8))
        cv2.imwrite(str(tmp_path / f"p{n}_0.png"), labels)
    config = _recipe(name)
    table = DataTable(f"labels:{tmp_path}", selector=config.data[0].selector)
    config = dataclasses.replace(config, data=(table,))
    samples = data.samples(config, data.sources(config)[0])
    size = {"ritm": (320, 480), "simpleclick": (448, 448)}[name.partition("_")[0]]
    merged = 0
    for n in range(12):
        item = samples[n]
        again = samples[n]
        assert (item.view.image == again.view.image).all()
        assert item.positives == again.positives
        assert item.view.image.shape == (*size, 3)
        assert item.view.valid is None, "what lies outside the photograph counts as background"
        assert 1 <= len(item.positives) <= 24
        assert len(item.negatives) <= 24
        assert all(item.view.target[point] for point in item.positives)
        assert not any(item.view.target[point] for point in item.negatives)
        merged += item.view.target.sum() > 0
    assert merged


def test_any_first_clicks_go_with_a_random_crop(tiny, tmp_path):
    tiny["view"] = {"name": "random-crop", "size": [64, 64]}
    tiny["validation"]["times"] = 0
    for first in ("deep-and-near", "multi-point"):
        tiny["clicks"] = {"first": first, "further": [0, 1], "every_loss": [1, 2]}
        config = config_file.from_data({**tiny, "run": {**tiny["run"], "steps": 1}}, "test")
        facts = train(config, tmp_path / first, say=lambda _: None)
        assert facts["state"] == "finished"
        assert (tmp_path / first / "last.safetensors").is_file()


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("clicks", "every_loss", [1.0], "has 1 weights, but clicks.further has 3 probabilities"),
        ("clicks", "every_loss", [1.0, 2.0, 0.0], "the last above 0"),
        ("optimiser", "drops", [0.9, 0.5], "rising, between 0 and 1"),
        ("optimiser", "factors", {"encoder": "x"}, "numbers of 0 or more"),
        (
            "optimiser",
            "factors",
            {"backbone": 0.1},
            "no parameter's name begins with 'backbone'; the network's parts: ",
        ),
        ("view", "name", "randomcrop", "did you mean random-crop"),
    ],
)
def test_a_wrong_line_is_named(tiny, tmp_path, table, key, value, said):
    tiny[table][key] = value
    with pytest.raises(BadOption, match=said.replace(".", r"\.")):
        train(config_file.from_data(tiny, "test"), tmp_path / "run", say=lambda _: None)


def test_a_network_without_auxiliary_output_is_named(tiny, tmp_path):
    tiny["auxiliary_loss"] = [{"name": "bce"}]
    with pytest.raises(BadOption, match="has no auxiliary output"):
        train(config_file.from_data(tiny, "test"), tmp_path / "run", say=lambda _: None)


@pytest.mark.parametrize("start", ["pretrained/absent.pth", "absent.safetensors"])
def test_a_start_that_is_not_there_says_how_to_begin_without(tiny, tmp_path, start):
    with pytest.raises(WeightsError, match=f"there is no file {start} to start from; fetch it, or begin"):
        train(config_file.from_data({**tiny, "start": start}, "test"), tmp_path / "run", say=lambda _: None)


def test_factors_multiply_the_rate_by_the_longest_prefix():
    rates = Optimisation(lr=0.01, encoder_lr=0.001, factors={"a": 0.1, "a.b": 2.0, "whole.encoder": 0.5})
    names = ("a.c.weight", "a.b.weight", "ab.weight", "a.bc.weight", "whole.encoder.x", "whole.decoder.x")
    assert [rates.of(name) for name in names] == pytest.approx([0.001, 0.02, 0.01, 0.001, 0.0005, 0.01])


def test_a_torch_file_is_a_start_too(tiny, tmp_path):
    tiny["validation"]["times"] = 0
    tiny["run"]["steps"] = 1
    tiny["optimiser"] |= {"lr": 1e-30, "ema": 0.0, "weight_decay": 0.0}
    train(config_file.from_data(tiny, "test"), tmp_path / "parent", say=lambda _: None)
    state = torch.load(tmp_path / "parent/last.ckpt", weights_only=True)["state_dict"]
    state = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "start.pth")
    tiny["run"]["seed"] = 3
    tiny["start"] = str(tmp_path / "start.pth")
    train(config_file.from_data(tiny, "test"), tmp_path / "child", say=lambda _: None)
    child = torch.load(tmp_path / "child/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(child[f"network.{name}"], value) for name, value in state.items() if "conv.weight" in name)
    assert any("conv.weight" in name for name in state)
