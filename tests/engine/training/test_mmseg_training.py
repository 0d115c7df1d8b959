"""A network of mmsegmentation is trained, and its run is a model."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from iiszoo.engine.training.config_file import from_data
from iiszoo.engine.training.run import train
from iiszoo.errors import BadOption
from iiszoo.model_reference import resolve

pytest.importorskip("mmseg", reason="needs mmsegmentation: pip install 'iiszoo[mmseg]'")

NETWORK = {
    "library": "mmseg",
    "architecture": "segformer_mit-b0_8xb2-160k_ade20k-512x512",
    "options": {
        "backbone": {"embed_dims": 4, "num_layers": [1, 1, 1, 1]},
        "decode_head": {"in_channels": [4, 8, 20, 32], "channels": 8},
    },
}


def silent(line: str) -> None:
    pass


@pytest.mark.parametrize("fusion", ["early", pytest.param("intermediate", marks=pytest.mark.slow)])
def test_a_run_is_a_model_and_a_start(tiny, tmp_path, fusion) -> None:
    tiny["network"] = {**NETWORK, "fusion": fusion}
    config = from_data(tiny, "test")
    train(config, tmp_path / "run", say=silent)
    model = resolve(str(tmp_path / "run")).load()
    x = torch.rand(1, 3, 50, 70)
    y, _ = model(x, model.init_z(x), [[[(20, 30)]]], [[[]]])
    assert y.shape == (1, 1, 50, 70)
    with pytest.raises(BadOption, match=r"network\.architecture is 'other'"):
        train(_from(tiny, tmp_path / "run", architecture="other"), tmp_path / "next", say=silent)
    train(_from(tiny, tmp_path / "run"), tmp_path / "next", say=silent)
    stored = json.loads((tmp_path / "next/config.json").read_text())["network"]
    assert stored["fusion"] == fusion
    assert stored["options"]["model"].startswith("{'type': 'EncoderDecoder'")


def test_a_run_goes_on(tiny, tmp_path) -> None:
    tiny["network"] = NETWORK
    tiny["validation"]["times"] = 0
    config = from_data(tiny, "test")
    train(dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2)), tmp_path / "run", say=silent)
    train(config, tmp_path / "run", resume=True, say=silent)
    assert torch.load(tmp_path / "run/last.ckpt", weights_only=True)["global_step"] == 6


def test_a_wrong_configuration_is_named_before_anything_is_trained(tiny, tmp_path) -> None:
    tiny["network"] = {**NETWORK, "architecture": "segformer_mit-b9"}
    with pytest.raises(BadOption, match="no configuration 'segformer_mit-b9'; did you mean segformer_mit-b"):
        train(from_data(tiny, "test"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _from(tiny, run, **network):
    data = {**tiny, "start": str(run), "network": network}
    return from_data(data, "test")
