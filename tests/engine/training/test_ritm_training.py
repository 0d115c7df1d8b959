"""Comparison with RITM's training: ../shared/parity/training_ritm.npz."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from iiszoo.clicking import initial
from iiszoo.clicking.batch_distance import squared_distance
from iiszoo.clicking.first_clicks import deep_in
from iiszoo.clicking.next_click import candidates
from iiszoo.models.losses import normalised_focal

FILE = Path(os.environ.get("IISZOO_SHARED", Path(__file__).parents[4] / "shared")) / "parity/training_ritm.npz"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="no ../shared/parity here")


@pytest.fixture(scope="module")
def fixture():
    with np.load(FILE) as file:
        return dict(file)


def _opencv_distance(mask):
    return cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, 5)


@pytest.mark.parametrize(
    ("name", "alpha", "gamma"), [("a50_g2", 0.5, 2), ("a50_g0", 0.5, 0), ("a25_g2", 0.25, 2), ("a25_g0", 0.25, 0)]
)
def test_the_normalised_focal_loss_and_its_gradient(fixture, name, alpha, gamma):
    logits = torch.from_numpy(fixture["nfl_logits"]).double().requires_grad_()
    labels = torch.from_numpy(fixture["nfl_labels"]).double()
    loss = normalised_focal(logits, labels.clamp(min=0), labels >= 0, alpha=alpha, gamma=gamma)
    loss.sum().backward()
    assert np.abs(loss.detach().numpy() - fixture[f"nfl_{name}_loss"]).max() < 1e-9
    assert np.abs(logits.grad.numpy() - fixture[f"nfl_{name}_grad_of_sum"]).max() < 1e-9


def test_the_next_clicks_candidates(fixture):
    probabilities = torch.from_numpy(fixture["next_probabilities"])[:, None]
    width = probabilities.shape[-1]
    targets = np.unpackbits(fixture["next_targets"], axis=-1, count=width).astype(bool)
    where, positive = candidates(probabilities, torch.from_numpy(targets)[:, None].float(), threshold=0.49)
    theirs = np.unpackbits(fixture["next_candidates"], axis=-1, count=width).astype(bool)
    for n in range(len(targets)):
        probability = fixture["next_probabilities"][n]
        errors = targets[n] & (probability < np.float32(0.49)), ~targets[n] & (probability > np.float32(0.49))
        if not theirs[n].any():
            assert not where[n].any()
            continue
        assert bool(positive[n]) == bool(fixture["next_positive"][n])
        distance = np.sqrt(squared_distance(errors[0 if positive[n] else 1]))
        bound = max(_opencv_distance(error).max() for error in errors) / 2
        differing = where[n].numpy() != theirs[n]
        assert (np.abs(distance[differing] / bound - 1) < 0.02).all()


@pytest.mark.parametrize(
    ("name", "ours"),
    [("eroded", initial.eroded_thrice), ("border", initial.border_band), ("first", deep_in)],
)
def test_where_the_first_clicks_are_drawn_from(fixture, name, ours):
    packed = fixture["sampler_masks"]
    width = 80
    masks, theirs = (
        np.unpackbits(fixture[f"sampler_{kind}"], axis=-1, count=width).astype(bool) for kind in ("masks", name)
    )
    assert len(packed) == 20
    for mask, expected in zip(masks, theirs, strict=True):
        assert (ours(mask) == expected).all()


def test_how_many_first_clicks_there_are(fixture):
    positive, negative = fixture["sampler_positive_probs"], fixture["sampler_negative_probs"]
    assert np.allclose(initial.geometric(0.8, len(positive)), positive, rtol=0, atol=1e-12)
    assert np.allclose(initial.geometric(0.8, len(negative)), negative, rtol=0, atol=1e-12)
