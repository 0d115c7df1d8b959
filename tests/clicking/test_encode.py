"""Disks: the same bits as RITM's full maps."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rules import full_map_disks

from iiszoo.clicking.encode import disk

Clicks = list[list[list[tuple[float, float]]]]


def as_clicks(points: torch.Tensor) -> tuple[Clicks, Clicks]:
    """(pcs, ncs), one interaction, from RITM's points (B, 2N, 3), padding included as clicks at (-1, -1)."""
    half = points.shape[1] // 2
    pcs, ncs = (
        [[(p[0], p[1]) for p in element] for element in part.tolist()] for part in (points[:, :half], points[:, half:])
    )
    return [pcs], [ncs]


def as_points(pcs: Clicks, ncs: Clicks, n_elements: int) -> torch.Tensor:
    """RITM's points (B, 2N, 3) from click lists."""
    rows = [[[c for k in clicks for c in k[b]] for clicks in (pcs, ncs)] for b in range(n_elements)]
    most = max(1, *(len(part) for element in rows for part in element))
    points = torch.full((n_elements, 2 * most, 3), -1.0)
    for b, element in enumerate(rows):
        for half, part in enumerate(element):
            for i, click in enumerate(part):
                points[b, half * most + i, :2] = torch.tensor(click)
    return points


def test_upstream_disks(shared: Path) -> None:
    stored = np.load(shared / "parity" / "click_encoding.npz")
    cases = [case for case in json.loads(stored["meta_json"].tobytes())["cases"] if case["disk"]]
    assert len(cases) >= 40
    for case in cases:
        points = torch.from_numpy(stored[case["points"]])
        wanted = torch.from_numpy(stored[f"out::{case['key']}"]).float()
        n_elements, *size = case["shape"]
        maps = disk(*as_clicks(points), (size[0], size[1]), case["radius"])
        assert maps.shape == (n_elements, 2, *size)
        assert torch.equal(maps, wanted), case["key"]
        assert torch.equal(full_map_disks(points, (size[0], size[1]), case["radius"]), wanted), case["key"]


coordinate = st.integers(-8, 40) | st.floats(-8, 40, width=32) | st.integers(-16, 80).map(lambda v: v / 2)
elements = st.lists(st.tuples(coordinate, coordinate), max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_disks_are_the_full_maps(data: st.DataObject) -> None:
    """Within, on and beyond the border; between pixels; several interactions and elements."""
    n = data.draw(st.integers(1, 3))
    interactions = st.lists(st.lists(elements, min_size=n, max_size=n), min_size=1, max_size=3)
    pcs, ncs = data.draw(interactions), data.draw(interactions)
    size = (data.draw(st.integers(1, 33)), data.draw(st.integers(1, 33)))
    radius = data.draw(st.sampled_from([0, 0.5, 1, 2, 2.5, 3, 5, 24]))
    assert torch.equal(disk(pcs, ncs, size, radius), full_map_disks(as_points(pcs, ncs, n), size, radius))


def test_types() -> None:
    pcs: Any = [[[(2, 3)]]]
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bool):
        maps = disk(pcs, [[[]]], (6, 7), 1, dtype=dtype, device="cpu")
        assert maps.dtype is dtype
        assert maps.float().sum() == 5
        assert maps[0, 1].sum() == 0


def test_clicks_stay_as_they_are() -> None:
    pcs: Any = [[[(2, 3)], []], [[], [(1.5, 0)]]]
    ncs: Any = [[[], []], [[(9, 9)], []]]
    before = copy.deepcopy((pcs, ncs))
    disk(pcs, ncs, (10, 10))
    assert (pcs, ncs) == before


def test_no_clicks() -> None:
    assert torch.equal(disk([[[], []]], [[[], []]], (4, 5)), torch.zeros(2, 2, 4, 5))
    assert torch.equal(disk([], [], (4, 5), batch_size=3), torch.zeros(3, 2, 4, 5))
    with pytest.raises(ValueError, match="give batch_size"):
        disk([], [], (4, 5))


def test_batch_sizes_that_disagree() -> None:
    with pytest.raises(ValueError, match=r"different sizes: \[1, 2\]"):
        disk([[[]]], [[[], []]], (4, 5))
