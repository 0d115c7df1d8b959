"""Whole sessions against upstream's recorded ones, with the synthetic weights of the shared fixtures: each crop
exactly, probabilities after each click, and the merge with an initial mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iiszoo import Session, load_model
from iiszoo.models.zoom import read_boxes, whole_image
from iiszoo.protocol import Model

NOISE = 2e-3
"""For a probability; other CPU kernels change up to 3e-4 (measured by the fixtures)."""
FAST = "focalclick_segformerB0_S2__sheep"
RUNS = [
    FAST,
    "focalclick_hrnet18s_S2__sheep",
    pytest.param("focalclick_segformerB3_S2__person1", marks=pytest.mark.slow),
]


@pytest.fixture
def load(synthetic: Any, stored: Any, model_of: Any, tmp_path: Path) -> Any:
    """`load(name, **options)`: the model of a recorded run, from a checkpoint in the official form with its weights."""

    def loader(name: str, **options: Any) -> tuple[Model, Any, Any]:
        arrays, meta = stored(name)
        weights = {key: torch.from_numpy(value) for key, value in synthetic.from_parity(arrays).items()}
        torch.save({"state_dict": weights, "config": {"class": meta["upstream_class"]}}, tmp_path / "synthetic.pth")
        model = load_model(model_of(meta["config"]), checkpoint=tmp_path / "synthetic.pth", **options)
        return model, arrays, meta

    return loader


def session(model: Model, image: Any, clicks: Any, infos: Any, mask: Any = None) -> tuple[list[Any], list[Any]]:
    """Give the recorded clicks; crops are compared. Returns (probabilities, masks), each (H, W), after each click."""
    clicked = Session(model, image, initial_mask=None if mask is None else mask > 0)
    probabilities, masks = [], []
    for click, info in zip(clicks.tolist(), infos, strict=True):
        masks.append(clicked.click(*click))
        z = clicked.state
        assert list(read_boxes(z["roi"])[0] or whole_image(image.shape[:2])) == info["global_roi"]
        assert z["focus"].tolist() == [info["focus_roi"]]
        probabilities.append(z["probabilities"][0, 0].numpy())
    return probabilities, masks


def assert_close(probabilities: Any, expected: Any, positions: Any) -> None:
    np.testing.assert_allclose(np.stack([p.flatten()[positions] for p in probabilities]), expected, rtol=0, atol=NOISE)


@pytest.mark.parametrize("name", RUNS)
def test_a_session_is_upstreams(load: Any, runtime: str, name: str) -> None:
    model, arrays, meta = load(name, runtime=runtime)
    probabilities, _ = session(model, arrays["image"], arrays["clicks"], meta["clicks_info"])
    assert_close(probabilities, arrays["probs_sample_f32"], arrays["probs_sample_idx"])


@pytest.mark.parametrize("name", [FAST, pytest.param("focalclick_hrnet18s_S2__sheep", marks=pytest.mark.slow)])
def test_a_session_from_a_mask_is_upstreams(load: Any, runtime: str, name: str) -> None:
    model, arrays, meta = load(name, runtime=runtime)
    infos = meta["variants"]["init_merge"]["info"]
    probabilities, masks = session(model, arrays["image"], arrays["clicks"], infos, arrays["init_mask"])
    assert_close(probabilities, arrays["var_init_merge_sample_f32"], arrays["probs_sample_idx"][::4])
    width = arrays["image"].shape[1]
    expected = np.unpackbits(arrays["var_init_merge_masks"], axis=-1)[..., :width].astype(bool)
    # single pixels may lie at the threshold within the noise of kernels
    assert (np.stack(masks) != expected).sum(axis=(1, 2)).max() <= 5


def test_after_ten_clicks_only_the_focus_window_changes_as_upstream(load: Any) -> None:
    model, arrays, meta = load(FAST)
    infos = meta["variants"]["clicks12"]["info"]
    probabilities, _ = session(model, arrays["image"], arrays["clicks12"], infos)
    assert_close(probabilities, arrays["var_clicks12_sample_f32"], arrays["probs_sample_idx"][::4])
    for k in (10, 11):
        top, bottom, left, right = infos[k]["focus_roi"]
        changed = probabilities[k] != probabilities[k - 1]
        changed[top:bottom, left:right] = False
        assert not changed.any()
