"""Sessions on an embedded image with synthetic weights, recorded when they equalled upstream's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.models.synthetic_weights import about, fill
from iiszoo.testing import golden
from iiszoo_focalclick.networks import NETWORKS

HEADS = {
    "focalclick/segformerb0-s1": (11.0, 6.6),
    "focalclick/segformerb0-s2": (7.1, 3.06),
    "focalclick/hrnet18s-s1": (26.8, -4.9),
}
"""Factor on the last layer's weights, and its bias, so that masks are neither empty nor full."""
CLICKS = [(294, 293, True), (345, 355, False), (286, 236, False), (120, 180, True)]


def checkpoint(model: str, folder: Path) -> Path:
    """A file in the official form, with synthetic weights that make masks react to clicks."""
    transformer = "segformer" in model
    network: Any = fill(NETWORKS[model](), 1.0 if transformer else 0.8, {"scale": about(1 if transformer else 160)})
    extractor = network.feature_extractor
    head = extractor.decode_head.linear_pred if transformer else extractor.cls_head
    factor, bias = HEADS[model]
    with torch.no_grad():
        if not transformer:
            for layer in (network.maps_transform[0], network.maps_transform[2]):
                layer.bias *= 0.00625  # else the scale of the clicks makes constants of them that drown the image
        head.weight *= factor
        head.bias.fill_(bias)
    file = folder / "synthetic.pth"
    torch.save({"state_dict": network.state_dict(), "config": {}}, file)
    return file


@pytest.mark.parametrize("model", [*HEADS, "focalclick/segformerb0-s2?size=128"])
def test_a_session_is_as_it_was(model: str, tmp_path: Path) -> None:
    loaded = load_model(model, checkpoint=checkpoint(model.partition("?")[0], tmp_path))
    golden.compare(loaded, Path(__file__).with_name("golden.json"), model, CLICKS)
