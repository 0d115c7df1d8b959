"""Photographs of one concept, a light square on dark noise, in a folder and as a made-up tree of NDD20's format."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

TINY = "smp:unet/tu-test_efficientnet?size=32&weights=none"
"""A segmenter that is trained within a second."""


def paint(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 (40, 48, 3) and its mask bool (40, 48)."""
    image = rng.integers(0, 60, (40, 48, 3), dtype=np.uint8)
    mask = np.zeros((40, 48), bool)
    row, col = rng.integers(4, 16, 2)
    mask[row : row + 16, col : col + 20] = True
    image[mask] += 160
    return image, mask


@pytest.fixture(scope="session")
def concept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images, `images/pN.png` and `masks/pN.png`."""
    place, rng = tmp_path_factory.mktemp("concept"), np.random.default_rng(3)
    for part in ("images", "masks"):
        (place / part).mkdir()
    for n in range(10):
        image, mask = paint(rng)
        cv2.imwrite(str(place / f"images/p{n}.png"), image)
        cv2.imwrite(str(place / f"masks/p{n}.png"), mask.astype(np.uint8) * 255)
    return place


@pytest.fixture(scope="session")
def dolphins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of NDD20's format: ten images below the water, one polyline each; nothing above."""
    place, rng = tmp_path_factory.mktemp("dolphins") / "ndd20", np.random.default_rng(4)
    (place / "BELOW").mkdir(parents=True)
    labels = {}
    for n in range(10):
        image, mask = paint(rng)
        cv2.imwrite(str(place / f"BELOW/{n}.jpg"), image)
        rows, cols = np.nonzero(mask)
        xs = [int(x) for x in (cols.min(), cols.max(), cols.max(), cols.min())]
        ys = [int(y) for y in (rows.min(), rows.min(), rows.max(), rows.max())]
        shape = {"name": "polyline", "all_points_x": xs, "all_points_y": ys}
        labels[f"{n}.jpg123"] = {"filename": f"{n}.jpg", "regions": [{"shape_attributes": shape}]}
    (place / "BELOW_LABELS.json").write_text(json.dumps(labels))
    return place
