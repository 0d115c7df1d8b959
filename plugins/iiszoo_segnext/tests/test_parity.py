"""SegNext vitb-sax1 against upstream's recorded run, with the synthetic weights of the shared fixtures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iiszoo import Session, load_model
from iiszoo.protocol import to_tensor
from iiszoo_segnext.frame import to_frame

NOISE = 2e-3
"""For a probability; other CPU kernels change up to 1.6e-5 (meta `noise_floor_other_kernels`)."""


@pytest.fixture(scope="module")
def stored(shared: Path) -> Any:
    return np.load(shared / "parity" / "segnext_vitb_sax1__sheep.npz")


def test_the_frame_is_upstreams(stored: Any) -> None:
    assert np.abs(to_frame(to_tensor(stored["image"]))[:, ::16, ::16].numpy() - stored["preprocessed_sub"]).max() < 1e-6


@pytest.mark.slow
def test_a_session_is_upstreams(shared: Path, stored: Any, tmp_path: Path) -> None:
    sys.path.insert(0, str(shared / "parity"))
    import recipe

    weights = {key: torch.from_numpy(np.asarray(value)) for key, value in recipe.from_parity(stored).items()}
    torch.save({"state_dict": weights, "config": {}}, tmp_path / "synthetic.pth")
    model: Any = load_model("segnext/vitb-sax1", checkpoint=tmp_path / "synthetic.pth")
    decoder, seen = model.function.decoder, []

    def noted(features: Tensor, maps: Tensor) -> Tensor:
        seen.append((maps, decoder(features, maps)))
        return seen[-1][1]

    model.function.decoder = noted
    session = Session(model, stored["image"])
    features = session.state["image_features"][0][::24, ::2, ::2].numpy()
    assert np.abs(features - stored["image_feats_sub"]).max() < 1e-4 * stored["image_feats_sub"].std()
    for k, click in enumerate(stored["clicks"].tolist()):
        session.click(*click)
        maps, logits = seen[k]
        assert np.array_equal(np.packbits(maps[0, 1:].numpy().astype(bool), axis=-1), stored["disks_packed"][k])
        drift = np.abs(logits.flatten().numpy()[stored["low_sample_idx"]] - stored["head_logits_sample_f32"][k])
        assert drift.max() < 2e-3  # the logits' deviation is about 10
        found = session.probabilities.flatten()[stored["probs_sample_idx"]]
        np.testing.assert_allclose(found, stored["probs_sample_f32"][k], rtol=0, atol=NOISE)
        mask = np.unpackbits(stored["masks_packed"][k], axis=-1, count=stored["image"].shape[1])
        assert (mask != (session.probabilities > model.threshold)).sum() <= 20  # pixels at the threshold
