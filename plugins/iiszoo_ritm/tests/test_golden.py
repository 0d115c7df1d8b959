"""Sessions on an embedded image with synthetic weights, recorded when they equalled upstream's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from iiszoo import load_model
from iiszoo.models.synthetic_weights import about, fill
from iiszoo.testing import golden
from iiszoo_ritm.network import NETWORKS

HEADS = {"ritm/h18s": (32.5, -10.3), "ritm/h18-baseline": (2.46, 12.8)}
"""Factor on the last layer's weights, and its bias, so that masks are neither empty nor full."""
CLICKS = [(294, 293, True), (345, 355, False), (286, 236, False), (120, 180, True)]


def checkpoint(model: str, folder: Path) -> Path:
    """A file in the official form, with synthetic weights that make masks react to clicks."""
    network: Any = fill(NETWORKS[model](), conv_gain=0.8, own={"scale": about(160)})
    head = network.feature_extractor.cls_head
    factor, bias = HEADS[model]
    with torch.no_grad():
        for layer in (network.maps_transform[0], network.maps_transform[2]):
            layer.bias *= 0.00625  # else the scale of the clicks turns them into constants that drown the image
        head.weight *= factor
        head.bias.fill_(bias)
    file = folder / "synthetic.pth"
    torch.save({"state_dict": network.state_dict(), "config": {}}, file)
    return file


@pytest.mark.parametrize(
    ("model", "n_clicks"),
    [
        ("ritm/h18s", 4),
        ("ritm/h18s?preset=davis&flip=false", 2),
        ("ritm/h18s?size=96x128", 4),
        ("ritm/h18-baseline", 2),
    ],
)
def test_a_session_is_as_it_was(model: str, n_clicks: int, tmp_path: Path) -> None:
    loaded = load_model(model, checkpoint=checkpoint(model.partition("?")[0], tmp_path))
    golden.compare(loaded, Path(__file__).with_name("golden.json"), model, CLICKS[:n_clicks])
