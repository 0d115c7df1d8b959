"""Tiny data sets of the kind `folder:DIR`: noise with ellipses on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np


def write(
    place: Path,
    n: int = 4,
    *,
    sizes: Sequence[tuple[int, int]] = ((40, 56),),
    objects: int = 1,
    marked: Collection[int] = (),
    seed: int = 0,
) -> Path:
    """Write photographs `p0.png` ... with `objects` ellipses each, of the given sizes in turn.

    Masks are `p0.png`, or `p0__0.png`, `p0__1.png` ... where there are several. The first pixel of a marked photograph
    is pure red.
    """
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (place / name).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        height, width = sizes[i % len(sizes)]
        image = rng.integers(0, 100, (height, width, 3), dtype=np.uint8)
        for j in range(objects):
            mask = np.zeros((height, width), np.uint8)
            center = (int(rng.integers(width // 4, 3 * width // 4)), int(rng.integers(height // 4, 3 * height // 4)))
            axes = (int(rng.integers(width // 8, width // 3)), int(rng.integers(height // 8, height // 3)))
            cv2.ellipse(mask, center, axes, int(rng.integers(0, 180)), 0, 360, 255, -1)
            image[mask > 0] += 100
            cv2.imwrite(str(place / "masks" / (f"p{i}__{j}.png" if objects > 1 else f"p{i}.png")), mask)
        image[0, 0] = (0, 0, 255) if i in marked else (9, 9, 9)  # blue first
        cv2.imwrite(str(place / "images" / f"p{i}.png"), image)
    return place
