"""RITM's network trains by `iiszoo train`: its card names it."""

from __future__ import annotations

import cv2
import numpy as np

import iiszoo
from iiszoo.engine import train_config
from iiszoo.engine.train import train


def test_a_network_of_the_family_trains_and_is_a_model(tmp_path):
    rng = np.random.default_rng(0)
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for n in range(4):
        image = rng.integers(0, 90, (72, 80, 3), dtype=np.uint8)
        labels = np.zeros((72, 80), np.uint8)
        cv2.circle(labels, (40, 30 + n), 20, 1, -1)
        image[labels == 1] += 120
        cv2.imwrite(str(photographs / f"p{n}.png"), image)
        cv2.imwrite(str(photographs / f"p{n}_0.png"), labels)
    data = {
        "network": {"library": "iiszoo", "architecture": "ritm/h18s"},
        "data": [{"dataset": f"labels:{photographs}"}],
        "view": {"name": "object", "size": [64, 64]},
        "validation": {"held_out": 0.0, "times": 0},
        "run": {"steps": 1, "batch_size": 2, "workers": 0, "device": "cpu"},
    }
    train(train_config.from_data(data, "test"), tmp_path / "run", say=lambda _: None)
    model = iiszoo.load_model(str(tmp_path / "run"))
    session = iiszoo.Session(model, rng.integers(0, 255, (50, 70, 3), dtype=np.uint8))
    assert session.click(20, 30).shape == (50, 70)
    more = train_config.from_data(
        {**{k: v for k, v in data.items() if k != "network"}, "start": str(tmp_path / "run")}, "test"
    )
    train(more, tmp_path / "more", say=lambda _: None)
