"""Encodings: upstream's maps, the plain formulas, and the three ways to make them, which agree."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rules import full_map_disks
from torch.overrides import TorchFunctionMode

from iiszoo.clicking.encode import MapClicks, add_disks, disk, distance, euclidean, gaussian, last_interaction

Encode = Callable[..., torch.Tensor]

every = pytest.mark.parametrize("encode", [disk, distance, gaussian, euclidean], ids=lambda encode: encode.__name__)


def as_clicks(points: torch.Tensor) -> tuple[MapClicks, MapClicks]:
    """(pcs, ncs), one interaction, from RITM's points (B, 2N, 3), padding included as clicks at (-1, -1)."""
    half = points.shape[1] // 2
    pcs, ncs = (
        [[(p[0], p[1]) for p in element] for element in part.tolist()] for part in (points[:, :half], points[:, half:])
    )
    return [pcs], [ncs]


def as_points(pcs: MapClicks, ncs: MapClicks, n_elements: int) -> torch.Tensor:
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


@st.composite
def histories(
    draw: st.DrawFn, at: st.SearchStrategy[float] = coordinate
) -> tuple[MapClicks, MapClicks, tuple[int, int]]:
    """(pcs, ncs, size): up to 3 elements and 4 interactions, each element with 0 to 4 clicks of a kind in each."""
    n_elements, n_interactions = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    element = st.lists(st.tuples(at, at), max_size=4)
    interaction = st.lists(element, min_size=n_elements, max_size=n_elements)
    clicks = st.lists(interaction, min_size=n_interactions, max_size=n_interactions)
    return draw(clicks), draw(clicks), (draw(st.integers(1, 33)), draw(st.integers(1, 33)))


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


@every
def test_no_clicks(encode: Encode) -> None:
    value = {disk: 0.0, distance: 1.0, gaussian: 0.0, euclidean: 255.0}[encode]
    maps = torch.full((3, 6 if encode is gaussian else 2, 4, 5), value)
    nobody: MapClicks = [[[], [], []]]
    beyond: MapClicks = [[[(-1, -1)], [(-0.5, -9)], []]]  # both coordinates below 0: no click
    assert torch.equal(encode(nobody, nobody, (4, 5)), maps)
    assert torch.equal(encode(beyond, nobody, (4, 5)), maps)
    assert torch.equal(encode([], [], (4, 5), batch_size=3), maps)
    assert torch.equal(encode([], [], (4, 5), onto=maps), maps)
    assert torch.equal(encode([], beyond, (4, 5), onto=maps * 0.5), maps * 0.5)
    with pytest.raises(ValueError, match="give batch_size"):
        encode([], [], (4, 5))


@every
def test_batch_sizes_that_disagree(encode: Encode) -> None:
    with pytest.raises(ValueError, match=r"disagree on the batch size: \[1, 2\]"):
        encode([[[]]], [[[], []]], (4, 5))
    with pytest.raises(ValueError, match=r"disagree on the batch size: \[1, 3\]"):
        encode([[[]]], [[[]]], (4, 5), onto=torch.zeros(3, 2, 4, 5))


@every
def test_maps_of_another_shape(encode: Encode) -> None:
    n = 6 if encode is gaussian else 2
    with pytest.raises(ValueError, match=rf"shape \(1, {n}, 4, 5\), not \(1, {n}, 5, 4\)"):
        encode([[[]]], [[[]]], (4, 5), onto=torch.zeros(1, n, 5, 4))
    with pytest.raises(ValueError, match=rf"shape \(1, {n}, 4, 5\), not \(1, 3, 4, 5\)"):
        encode([[[]]], [[[]]], (4, 5), onto=torch.zeros(1, 3, 4, 5))


def test_radii_and_deviations_that_are_not_above_0() -> None:
    with pytest.raises(ValueError, match="radius of distance maps must be above 0, not 0"):
        distance([[[]]], [[[]]], (4, 5), 0)
    with pytest.raises(ValueError, match="standard deviations"):
        gaussian([[[]]], [[[]]], (4, 5), (0.02, 0))


def test_last_interaction() -> None:
    pcs: MapClicks = [[[(1, 2)]], [[(3, 4)]]]
    ncs: MapClicks = [[[]], [[(5, 6)]]]
    assert last_interaction(pcs, ncs) == ([[[(3, 4)]]], [[[(5, 6)]]])
    assert last_interaction([], []) == ([], [])
    with pytest.raises(ValueError, match="pcs has 2 interactions and ncs 1"):
        last_interaction(pcs, ncs[:1])


def test_upstream_distance_maps(shared: Path) -> None:
    """Stored are every third row and column."""
    stored = np.load(shared / "parity" / "click_encoding.npz")
    cases = [case for case in json.loads(stored["meta_json"].tobytes())["cases"] if not case["disk"]]
    assert len(cases) >= 4
    for case in cases:
        wanted = torch.from_numpy(stored[f"out::{case['key']}"])
        n_elements, *size = case["shape"]
        maps = distance(*as_clicks(torch.from_numpy(stored[case["points"]])), (size[0], size[1]), case["radius"])
        assert maps.shape == (n_elements, 2, *size)
        torch.testing.assert_close(maps[..., ::3, ::3], wanted, rtol=2e-7, atol=0, msg=case["key"])


def test_upstream_gaussian_maps(shared: Path) -> None:
    """Stored are every third row and column; of the maps of resized clicks, which are several pixels, every fourth."""
    stored = np.load(shared / "parity" / "gto99_clickmaps.npz")
    cases = json.loads(stored["meta_json"].tobytes())["cases"]
    assert len(cases) >= 10
    for case in cases:
        i = case["i"]
        kinds = [stored[f"points::{i}"][:, 2] == kind for kind in (0, 1)]
        ncs, pcs = ([[stored[f"points::{i}"][kind, :2].tolist()]] for kind in kinds)
        upstream = gaussian(ncs, pcs, case["shape"])[0]  # its negative maps come first
        assert torch.equal(gaussian(pcs, ncs, case["shape"])[0], upstream.roll(3, 0))
        torch.testing.assert_close(
            upstream[:, ::3, ::3], torch.from_numpy(stored[f"maps::{i}"]), rtol=1e-5, atol=1e-7, msg=f"case {i}"
        )
        ones = stored[f"scaled_ones::{i}"]
        ncs, pcs = ([[ones[ones[:, 2] == kind, :2].tolist()]] for kind in (0, 1))
        torch.testing.assert_close(
            gaussian(ncs, pcs, case["scaled"])[0, :, ::4, ::4],
            torch.from_numpy(stored[f"scaled_maps::{i}"]),
            rtol=1e-5,
            atol=1e-7,
            msg=f"case {i}, resized",
        )


def plain_distance(clicks: MapClicks, b: int, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """(H, W) float64: to the nearest click of element b, inf where it has none."""
    rows, columns = np.indices(size)
    at = [click for interaction in clicks for click in interaction[b] if max(click) >= 0]
    return np.min([np.full(size, np.inf), *(np.hypot(rows - row, columns - col) for row, col in at)], axis=0)


@settings(max_examples=150, deadline=None)
@given(histories(coordinate | st.integers(-400, 400)))
def test_plain_formulas(history: tuple[MapClicks, MapClicks, tuple[int, int]]) -> None:
    """For every element on its own: within and beyond the map, between pixels, with different numbers of clicks."""
    pcs, ncs, size = history
    away = [[plain_distance(clicks, b, size) for clicks in (pcs, ncs)] for b in range(len(pcs[0]))]
    d = torch.from_numpy(np.array(away))
    for radius in (0.5, 20, 260):
        maps = distance(pcs, ncs, size, radius)
        torch.testing.assert_close(maps, (2 * d / radius).tanh().float(), rtol=1e-5, atol=1e-6)
        assert ((maps >= 0) & (maps <= 1)).all()
    torch.testing.assert_close(euclidean(pcs, ncs, size), d.clamp(max=255).float(), rtol=1e-5, atol=1e-5)
    for scales, length in (((0.02, 0.08, 0.16), 352.0), ((0.5,), 3.0)):
        maps = gaussian(pcs, ncs, size, scales, length)
        wanted = torch.stack([(-(d**2) / (2 * (s * length) ** 2)).exp() for s in scales], dim=2).flatten(1, 2)
        torch.testing.assert_close(maps, wanted.float(), rtol=1e-4, atol=1e-6)
        assert ((maps >= 0) & (maps <= 1)).all()


@every
@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_three_ways_agree(
    encode: Encode, history: tuple[MapClicks, MapClicks, tuple[int, int]], data: st.DataObject
) -> None:
    """Of all clicks at once, or onto the maps before: the same bits. Of the last interaction: its own clicks alone."""
    pcs, ncs, size = history
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.float16]))
    maps = encode(pcs, ncs, size, dtype=dtype)
    assert torch.equal(maps, encode(pcs, ncs, size).to(dtype))
    for split in range(len(pcs) + 1):
        before = encode(pcs[:split], ncs[:split], size, batch_size=len(pcs[0]), dtype=dtype)
        kept = before.clone()
        after = encode(pcs[split:], ncs[split:], size, onto=before)
        assert after.dtype is dtype
        assert torch.equal(after, maps), split
        assert torch.equal(before, kept)
    newest = last_interaction(pcs, ncs)
    own = encode(*newest, size, dtype=dtype)
    assert torch.equal(encode(*newest, size, onto=encode([], [], size, batch_size=len(own), dtype=dtype)), own)
    before = encode(pcs[:-1], ncs[:-1], size, batch_size=len(own), dtype=dtype)
    nearer = torch.maximum if encode in (disk, gaussian) else torch.minimum
    assert torch.equal(nearer(before, own), maps)


@every
@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_order_and_company_change_nothing(
    encode: Encode, history: tuple[MapClicks, MapClicks, tuple[int, int]], data: st.DataObject
) -> None:
    """Neither the order of the clicks of an interaction nor the other elements of the batch change a bit."""
    pcs, ncs, size = history
    maps = encode(pcs, ncs, size)
    shuffled = [[[data.draw(st.permutations(e)) for e in k] for k in clicks] for clicks in (pcs, ncs)]
    assert torch.equal(encode(*shuffled, size), maps)
    for b in range(len(maps)):
        assert torch.equal(encode([[k[b]] for k in pcs], [[k[b]] for k in ncs], size)[0], maps[b])


@every
def test_nearly_equal_distances(encode: Encode) -> None:
    """Neighbouring float32 coordinates: each pixel's distances differ in the last bits, and the nearer one decides."""
    row = np.float32(0.1)
    clicks = []
    for _ in range(6):
        clicks.append((float(row), 5.25))
        row = np.nextafter(row, np.float32(1))
    size = (300, 300)
    none: MapClicks = [[[]]] * len(clicks)
    maps = encode([[[click]] for click in clicks], none, size)
    for order in (clicks, clicks[::-1]):
        step = encode([], [], size, batch_size=1)
        for click in order:
            step = encode([[[click]]], [[[]]], size, onto=step)
        assert torch.equal(step, maps)


def test_maps_onto_keep_or_change_their_type() -> None:
    before = euclidean([[[(2, 3)]]], [[[]]], (6, 7)).transpose(2, 3).contiguous().transpose(2, 3)  # other strides
    after = euclidean([[[(0, 0)]]], [[[]]], (6, 7), onto=before, dtype=torch.float64, device="cpu")
    assert after.dtype is torch.float64
    assert torch.equal(after.float(), euclidean([[[(0, 0), (2, 3)]]], [[[]]], (6, 7)))
    assert torch.equal(euclidean([[[(0, 0)]]], [[[]]], (1, 400), dtype=torch.uint8)[0, 0, 0, 250:260].long(),
                       torch.arange(250, 260).clamp(max=255))  # fmt: skip


def test_many_clicks_need_no_map_each() -> None:
    """Tensors of all pixels, counted while 8 elements with 40 clicks each are encoded: none has one layer a click."""
    rng = np.random.default_rng(0)
    pcs, ncs = ([[[tuple(p) for p in rng.uniform(0, 60, (20, 2)).tolist()] for _ in range(8)]] for _ in range(2))
    largest = 0

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            made = function(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor):
                largest = max(largest, made.numel())
            return made

    with Watch():
        for encode in (distance, gaussian, euclidean):
            encode(pcs, ncs, (60, 60))
    assert largest <= 8 * 6 * 60 * 60  # the six gaussian maps themselves


@given(
    st.lists(st.tuples(st.integers(-1, 29), st.integers(0, 39), st.integers(0, 1)), min_size=1, max_size=5),
    st.integers(0, 9),
)
@settings(max_examples=50, deadline=None)
def test_disks_added_on_the_device_are_those_of_disk(clicks: list[tuple[int, int, int]], radius: int) -> None:
    before = (torch.rand(len(clicks), 2, 30, 40) > 0.9).float()
    kept = before.clone()
    there = [[((row, col), positive)] if row >= 0 else [] for row, col, positive in clicks]
    pcs = [[[at for at, positive in element if positive] for element in there]]
    ncs = [[[at for at, positive in element if not positive] for element in there]]
    assert torch.equal(add_disks(before, torch.tensor(clicks), radius), disk(pcs, ncs, (30, 40), radius, onto=before))
    assert torch.equal(before, kept)
