"""Whole sessions against upstream's recorded ones, with the synthetic weights of the shared fixtures: each region
exactly, probabilities after each click.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo import Session, load_model
from iiszoo.models.zoom import from_inclusive, read_boxes

NOISE = 2e-3
"""For a probability; other CPU kernels change up to 3e-4 (measured by the fixtures)."""


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("xtiny", ""),
        ("xtiny", "noflip"),
        ("xtiny", "davis672"),
        *(pytest.param("vit-b", variant, marks=pytest.mark.slow) for variant in ("", "noflip", "davis672")),
    ],
)
def test_a_session_is_upstreams(recorded: Any, runtime: str, name: str, variant: str, tmp_path: Path) -> None:
    stored, meta, weights = recorded(
        {"vit-b": "simpleclick_vit_b__sheep", "xtiny": "simpleclick_vit_xtiny__sheep"}[name]
    )
    torch.save({"state_dict": weights, "config": {"class": meta["upstream_class"]}}, tmp_path / "synthetic.pth")
    options = {"": "", "noflip": "?flip=false", "davis672": "?preset=davis"}[variant]
    model = load_model(f"simpleclick/{name}{options}", checkpoint=tmp_path / "synthetic.pth", runtime=runtime)
    rois = meta["variants"][variant]["rois"] if variant else meta["rois"]
    every = 4 if variant else 1
    positions = stored["probs_sample_idx"][::every]
    expected = stored[f"var_{variant}_sample_f32" if variant else "probs_sample_f32"]
    session = Session(model, stored["image"])
    for k, roi in enumerate(rois):
        session.click(*stored["clicks"][k].tolist())
        assert read_boxes(session.state["roi"])[0] == from_inclusive(roi)
        np.testing.assert_allclose(session.probabilities.flatten()[positions], expected[k], rtol=0, atol=NOISE)
