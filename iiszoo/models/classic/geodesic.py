"""Geodesic distance on an image: the colour change along a path (Bai & Sapiro 2007; Criminisi et al. 2008)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from iiszoo.compiled import compiled

# Only a maze needs more sweeps than this; the remaining error is negligible.
_MOST_SWEEPS = 50


@compiled
def step_costs(features: NDArray[Any], length_cost: float) -> NDArray[Any]:
    """The costs of a step from each pixel to its neighbours up left, up, up right and left, float32 (H + 2, W + 2, 4).

    `features` float32 (H, W, C): a step costs its change of features (L2) plus `length_cost` times its length in
    pixels. Pixel (r, c) is at (r + 1, c + 1); the frame of one pixel and every step into it cost inf, so that
    `geodesic_distance` need not check whether a neighbour exists.
    """
    height, width, channels = features.shape
    cols = np.array([-1, 0, 1, -1])
    costs = np.full((height + 2, width + 2, 4), np.inf, np.float32)
    for r in range(height):
        for c in range(width):
            for k in range(4):
                y, x = r - (k < 3), c + cols[k]
                if y >= 0 and 0 <= x < width:
                    change = 0.0
                    for channel in range(channels):
                        change += (features[r, c, channel] - features[y, x, channel]) ** 2
                    diagonal = k == 0 or k == 2
                    costs[r + 1, c + 1, k] = np.sqrt(change) + length_cost * (2.0**0.5 if diagonal else 1.0)
    return costs


@compiled
def geodesic_distance(seeds: NDArray[Any], costs: NDArray[Any]) -> NDArray[Any]:
    """The cost of the cheapest path from any seed to each pixel, float32 (H, W); inf everywhere without a seed.

    `seeds` bool (H, W), `costs` from `step_costs`. Raster sweeps down and up (Toivanen 1996; Criminisi 2008) until
    nothing changes: the exact distance, and faster than a priority queue.
    """
    height, width = seeds.shape
    distance = np.full((height + 2, width + 2), np.inf, np.float32)
    for r in range(height):
        for c in range(width):
            if seeds[r, c]:
                distance[r + 1, c + 1] = 0.0
    for _ in range(_MOST_SWEEPS):
        changed = False
        for r in range(1, height + 1):
            for c in range(1, width + 1):
                best = min(
                    min(distance[r - 1, c - 1] + costs[r, c, 0], distance[r - 1, c] + costs[r, c, 1]),
                    min(distance[r - 1, c + 1] + costs[r, c, 2], distance[r, c - 1] + costs[r, c, 3]),
                )
                if best < distance[r, c]:
                    distance[r, c] = best
                    changed = True
        for r in range(height, 0, -1):
            for c in range(width, 0, -1):
                best = min(
                    min(distance[r + 1, c + 1] + costs[r + 1, c + 1, 0], distance[r + 1, c] + costs[r + 1, c, 1]),
                    min(distance[r + 1, c - 1] + costs[r + 1, c - 1, 2], distance[r, c + 1] + costs[r, c + 1, 3]),
                )
                if best < distance[r, c]:
                    distance[r, c] = best
                    changed = True
        if not changed:
            break
    return distance[1:-1, 1:-1].copy()
