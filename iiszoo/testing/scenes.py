"""The images and clicks of the checks: small, synthetic, always the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from iiszoo.protocol import Clicks, Images

RED, YELLOW, BROWN = (0.9, 0.2, 0.15), (0.9, 0.8, 0.1), (0.6, 0.35, 0.1)
SIDES = (96, 128)
"""Height and width of the ordinary sessions: multiples of 32, because odd sizes have their own check."""

Disk = tuple[int, int, int, tuple[float, float, float]]
"""Row and column of its centre, radius, colour."""


@dataclass(frozen=True)
class Scene:
    """Images x, of B elements, and the clicks of all interactions of a session with them."""

    x: Images
    pcs: Clicks
    ncs: Clicks


def picture(height: int, width: int, *disks: Disk, seed: int = 0) -> Tensor:
    """Float32 (3, height, width) in [0, 1]: disks of one colour each on a blue-grey background with a little noise."""
    random = np.random.Generator(np.random.Philox(seed))
    ground = np.array([0.3, 0.4, 0.55])[:, None, None]
    planes = ground + 0.06 * (random.random((3, height, width)) - 0.5)
    rows, cols = np.mgrid[:height, :width]
    for row, col, radius, colour in disks:
        inside = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
        planes[:, inside] = np.array(colour)[:, None] + 0.04 * (random.random((3, int(inside.sum()))) - 0.5)
    return torch.from_numpy(planes.astype(np.float32))


@cache
def session(k: int) -> Scene:
    """One of three sessions of two interactions, with images of one size (`SIDES`) and different clicks."""
    disks: tuple[tuple[Disk, ...], ...] = (
        ((40, 80, 20, RED),),
        ((60, 30, 18, YELLOW), (30, 95, 15, BROWN)),
        ((50, 64, 25, BROWN), (20, 20, 12, RED)),
    )
    pcs: tuple[Clicks, ...] = ([[[(40, 80)]], [[]]], [[[(60, 30)]], [[(30, 95)]]], [[[(50, 64), (45, 70)]], [[]]])
    ncs: tuple[Clicks, ...] = ([[[]], [[(70, 40)]]], [[[]], [[]]], [[[]], [[(20, 20), (85, 110)]]])
    return Scene(picture(*SIDES, *disks[k], seed=k)[None], pcs[k], ncs[k])


@cache
def all_sessions() -> Scene:
    """The three sessions as one batch of three."""
    sessions = [session(k) for k in range(3)]
    x = torch.cat([scene.x for scene in sessions if isinstance(scene.x, Tensor)])
    pcs = [[scene.pcs[k][0] for scene in sessions] for k in range(2)]
    ncs = [[scene.ncs[k][0] for scene in sessions] for k in range(2)]
    return Scene(x, pcs, ncs)


def one_click(height: int, width: int) -> Scene:
    """A disk in the middle, and a positive click on it."""
    row, col = height // 2, width // 2
    disk = (row, col, max(1, min(height, width) // 3), RED)
    return Scene(picture(height, width, disk)[None], [[[(row, col)]]], [[[]]])
