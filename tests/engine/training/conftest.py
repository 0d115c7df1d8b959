"""A directory of small images with label maps, and a configuration that trains on them within a second."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for n in range(12):
        image = rng.integers(0, 90, (72, 80, 3), dtype=np.uint8)
        labels = np.zeros((72, 80), np.uint8)
        for value in (1, 2):
            row, col = rng.integers(20, 52, 2)
            cv2.circle(labels, (int(col), int(row)), 14, value, -1)
        image[labels == 1] += 120
        image[labels == 2, 0] += 160
        cv2.imwrite(str(place / f"p{n}.png"), image[:, :, ::-1])
        cv2.imwrite(str(place / f"p{n}_0.png"), labels)
    return place


_TINY = {
    "network": {
        "architecture": "unet",
        "encoder": "tu-test_efficientnet",
        "options": {"decoder_channels": [16, 16, 8, 8, 4]},
    },
    "view": {"name": "object", "size": [64, 64]},
    "clicks": {"further": [0.2, 0.2, 0.6], "second_look": 0.5},
    "loss": [{"name": "normalised-focal"}, {"name": "soft-iou", "weight": 0.25}],
    "optimiser": {"warm_up": 4, "lr": 5e-3, "ema": 0.9},
    "validation": {"held_out": 0.2, "limit": 3, "max_clicks": 3, "times": 2},
    "run": {"steps": 6, "batch_size": 4, "workers": 0, "device": "cpu", "log_every": 2},
}


@pytest.fixture
def tiny(pictures):
    """Plain data of a configuration."""
    return {**copy.deepcopy(_TINY), "data": [{"dataset": f"labels:{pictures}"}]}
