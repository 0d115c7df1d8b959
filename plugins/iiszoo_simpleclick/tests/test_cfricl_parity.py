"""Whole sessions of CFR-ICL against upstream's recorded ones, in all settings, with the shared fixtures' synthetic
weights: regions, the network's calls and its clicks exactly, probabilities and masks after each click.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iiszoo import Session, load_model
from iiszoo.models.zoom import from_inclusive, read_boxes

pytestmark = pytest.mark.slow

NOISE = 2e-3
"""For a probability; other CPU kernels change up to 3e-4 (measured by the fixtures)."""


class Noted:
    """A network whose calls are noted; equal inputs, which the settings share, are computed once."""

    def __init__(self, network: Callable[..., Tensor], known: dict[str, Tensor]) -> None:
        self.network, self.known = network, known
        self.calls: list[Any] = []

    def __call__(self, pictures: Tensor, positives: Any, negatives: Any) -> Tensor:
        self.calls.append((pictures.shape, positives, negatives))
        key = hashlib.sha256(pictures.numpy().tobytes() + repr((positives, negatives)).encode()).hexdigest()
        if key not in self.known:
            self.known[key] = self.network(pictures, positives, negatives)
        return self.known[key]


@pytest.fixture(scope="module", params=["sheep", "person1"])
def upstream(request: pytest.FixtureRequest, recorded: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(fixture file, meta, checkpoint, the answers that are known)"""
    stored, meta, weights = recorded(f"cfricl_vit_b__{request.param}")
    checkpoint: Path = tmp_path_factory.mktemp("cfricl") / "synthetic.pth"
    torch.save({"state_dict": weights, "config": {"class": meta["upstream_class"]}}, checkpoint)
    return stored, meta, checkpoint, {}


def test_every_setting_is_upstreams(upstream: Any) -> None:
    stored, meta, checkpoint, known = upstream
    positions = stored["probs_sample_idx"]
    for setting, arguments in meta["settings"].items():
        options = "&".join(f"{name}={json.dumps(value)}" for name, value in {"acf": False, **arguments}.items())
        model: Any = load_model(f"cfricl/vit-b?{options}", checkpoint=checkpoint)
        network = model.function.model.network = Noted(model.function.model.network, known)
        theirs = meta["session"][setting]
        session, n_calls = Session(model, stored["image"]), []
        for k, roi in enumerate(theirs["rois"]):
            session.click(*stored["clicks"][k].tolist())
            n_calls.append(len(network.calls) - sum(n_calls))
            assert read_boxes(session.state["roi"])[0] == from_inclusive(roi)
            found, expected = session.probabilities.flatten()[positions], stored[f"{setting}_probs_sample_f32"][k]
            np.testing.assert_allclose(found, expected, rtol=0, atol=NOISE)
            masks = np.unpackbits(
                stored[f"{setting}_masks_packed"][k], axis=-1, count=session.probabilities.shape[1]
            ).astype(bool)
            assert (masks != (session.probabilities > model.threshold)).sum() <= 20
        assert n_calls == theirs["network_calls"]
        for (shape, *clicks), (size, points) in zip(network.calls, theirs["net_inputs"], strict=True):
            assert [*shape] == size
            for b, both in enumerate(points):
                kinds = np.array(both).reshape(2, -1, 3)
                for ours, kind in zip(clicks, kinds, strict=True):
                    np.testing.assert_allclose(np.reshape(ours[b], (-1, 2)), kind[kind[:, 2] >= 0, :2], rtol=1e-6)
