"""Sessions on an embedded image with synthetic weights, recorded when they equalled upstream's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.models.synthetic_weights import fill, normal
from iiszoo.testing import golden
from iiszoo_simpleclick.network import NETWORKS

CLICKS = [(294, 293, True), (345, 355, False), (286, 236, False), (120, 180, True)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of xtiny with synthetic weights that make masks react to clicks, neither empty nor full."""
    network: Any = fill(NETWORKS["simpleclick/xtiny"](), own={"pos_embed": normal(0.02)})
    with torch.no_grad():
        network.patch_embed_coords.proj.weight *= 10
        network.head.conv_seg.weight *= 13.4
        network.head.conv_seg.bias.fill_(-11.2)
    file = tmp_path_factory.mktemp("weights") / "synthetic.pth"
    torch.save({"state_dict": network.state_dict(), "config": {}}, file)
    return file


@pytest.mark.parametrize("options", ["", "?flip=false&preset=davis", "?size=224x448"])
def test_a_session_is_as_it_was(checkpoint: Path, options: str) -> None:
    name = f"simpleclick/xtiny{options}"
    golden.compare(load_model(name, checkpoint=checkpoint), Path(__file__).with_name("golden.json"), name, CLICKS)


@pytest.mark.parametrize("options", ["?size=224", "?acf=false&cf_click=2&cf_n=2&size=224"])
def test_a_cascade_is_as_it_was(checkpoint: Path, options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Around SimpleClick's smallest network."""
    monkeypatch.setitem(NETWORKS, "cfricl/vit-b", NETWORKS["simpleclick/xtiny"])
    name = f"cfricl/vit-b{options}"
    golden.compare(load_model(name, checkpoint=checkpoint), Path(__file__).with_name("golden.json"), name, CLICKS)
