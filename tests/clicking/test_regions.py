"""Regions against plain definitions, on random masks and on drawn ones."""

from __future__ import annotations

import multiprocessing
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from mask_cases import KINDS
from numpy.typing import NDArray

from iiszoo.clicking import regions

Mask = NDArray[np.bool_]

tiny = npst.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
thorough = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def random_mask(seed: int) -> Mask:
    rng = np.random.default_rng(seed)
    return KINDS[rng.integers(len(KINDS))](rng, (int(rng.integers(1, 30)), int(rng.integers(1, 30)))).copy()


def squares_between(pixels: NDArray[Any], others: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) squared distances of each pixel to the nearest of the others."""
    return ((pixels[:, None] - others[None]) ** 2).sum(2).min(1)


def plain_squares(mask: Mask) -> NDArray[np.int64]:
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    return squares_between(np.argwhere(np.ones_like(mask)), outside).reshape(mask.shape) * mask


@thorough
@given(tiny, st.sampled_from([4, 8]))
def test_components_are_connected_and_apart(mask: Mask, connectivity: Any) -> None:
    labels, n = regions.connected_components(mask, connectivity)
    assert labels.dtype == np.int32
    assert np.array_equal(labels > 0, mask)
    assert sorted(set(labels.ravel()) - {0}) == list(range(1, n + 1))
    firsts = [int(np.flatnonzero(labels == label)[0]) for label in range(1, n + 1)]
    assert firsts == sorted(firsts)  # numbered by their first pixel in row-major order
    limit = 1 if connectivity == 4 else 2
    pixels = np.argwhere(mask)
    for a, b in np.ndindex(len(pixels), len(pixels)):
        touch = ((pixels[a] - pixels[b]) ** 2).sum() <= limit
        assert not touch or labels[tuple(pixels[a])] == labels[tuple(pixels[b])]
    for label in range(1, n + 1):  # nothing that is apart has one label: from its first pixel all of it is reached
        members = {tuple(p) for p in np.argwhere(labels == label).tolist()}
        front = [min(members)]
        members.discard(front[0])
        while front:
            r, c = front.pop()
            near = {p for p in members if (p[0] - r) ** 2 + (p[1] - c) ** 2 <= limit}
            members -= near
            front += near
        assert not members


@thorough
@given(tiny, st.sampled_from([4, 8]), st.data())
def test_clicked_components_are_those_with_a_click(mask: Mask, connectivity: Any, data: st.DataObject) -> None:
    pixel = st.tuples(*(st.integers(0, n - 1) for n in mask.shape))
    points = data.draw(st.lists(pixel, max_size=4))
    before = mask.copy()
    labels, _ = regions.connected_components(mask, connectivity)
    wanted = np.isin(labels, [labels[point] for point in points]) & mask
    for form in (points, np.array(points, np.int64).reshape(-1, 2)):
        assert np.array_equal(regions.clicked_components(mask, form, connectivity), wanted)
    assert np.array_equal(regions.clicked_components(mask.T, [p[::-1] for p in points], connectivity), wanted.T)
    assert np.array_equal(mask, before)


def test_a_point_beyond_the_mask_is_refused() -> None:
    with pytest.raises(IndexError):
        regions.clicked_components(np.ones((3, 4), bool), [(3, 0)])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_components_are_found_after_a_fork_too() -> None:
    """Threads of OpenCV that ran in the parent are not there in the child, which would wait for them for ever."""
    mask = np.random.default_rng(0).random((1000, 1000)) < 0.55
    cv2.connectedComponents(mask.view(np.uint8))  # whoever else uses OpenCV
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(_components, (mask,)).get(timeout=60)
    assert all(np.array_equal(one, other) for one, other in zip(there, _components(mask), strict=True))


def _components(mask: Mask) -> list[Mask]:
    return [regions.clicked_components(mask, [(500, 500)], 8), regions.connected_components(mask, 8)[0] > 0]


@thorough
@given(tiny, st.sampled_from([4, 8]))
def test_the_largest_component_is_the_first_of_the_largest(mask: Mask, connectivity: Any) -> None:
    largest = regions.largest_component(mask, connectivity)
    labels, n = regions.connected_components(mask, connectivity)
    sizes = [int((labels == label).sum()) for label in range(1, n + 1)]
    wanted = labels == 1 + sizes.index(max(sizes)) if n else np.zeros_like(mask)
    assert np.array_equal(largest, wanted)


@thorough
@given(st.integers(0, 2**31))
def test_distances_and_the_inscribed_circle(seed: int) -> None:
    mask = random_mask(seed)
    squares = regions.squared_distances(mask)
    assert squares.dtype == np.int64
    assert np.array_equal(squares, plain_squares(mask))
    circle = regions.inscribed_circle(mask)
    if not mask.any():
        assert circle is None
        return
    assert circle is not None
    assert (circle.row, circle.col) == np.unravel_index(squares.argmax(), mask.shape)
    assert circle.radius == np.sqrt(squares.max())


@thorough
@given(st.integers(0, 2**31), st.floats(0, 8))
def test_bands_inside_and_outside(seed: int, width: float) -> None:
    mask = random_mask(seed)
    squares = plain_squares(mask)
    assert np.array_equal(regions.inner_border_band(mask, width), (squares > 0) & (squares <= width**2))
    outer = np.zeros_like(mask)
    if mask.any():
        to_mask = squares_between(np.argwhere(np.ones_like(mask)), np.argwhere(mask)).reshape(mask.shape)
        outer = (to_mask > 0) & (to_mask <= width**2)
    assert np.array_equal(regions.outer_border_mask(mask, width), outer)


@thorough
@given(st.integers(0, 2**31), st.floats(0, 8))
def test_safe_erosion_and_dilation_change_the_area_by_less_than_a_third(seed: int, width: float) -> None:
    mask = random_mask(seed)
    area = int(mask.sum())
    eroded, dilated = regions.safe_erosion(mask, width), regions.safe_dilation(mask, width)
    assert not (eroded & ~mask).any()
    assert not (mask & ~dilated).any()
    if area:
        assert eroded.sum() > 0.7 * area
        assert dilated.sum() < 1.3 * area
    # as far as they go they are the plain erosion and dilation, and where they stop one step more would be too much
    squares = plain_squares(mask)
    steps = [s for s in np.unique(squares[mask]) if s <= width**2 and (squares > s).sum() > 0.7 * area]
    assert np.array_equal(eroded, squares > max(steps) if steps else mask)
    if mask.any():
        to_mask = squares_between(np.argwhere(np.ones_like(mask)), np.argwhere(mask)).reshape(mask.shape)
        steps = [s for s in np.unique(to_mask) if s <= width**2 and (to_mask <= s).sum() < 1.3 * area]
        assert np.array_equal(dilated, to_mask <= max(steps, default=0))


def test_a_disk_shrinks_and_grows_by_the_width() -> None:
    rows, cols = np.indices((101, 101)) - 50
    disk = rows**2 + cols**2 <= 40**2
    assert abs(regions.safe_erosion(disk, 3).sum() / (np.pi * 37.5**2) - 1) < 0.02
    assert abs(regions.safe_dilation(disk, 3).sum() / (np.pi * 43**2) - 1) < 0.02
    assert 0.7 < regions.safe_erosion(disk, 100).sum() / disk.sum() < 0.72
    assert 1.28 < regions.safe_dilation(disk, 100).sum() / disk.sum() < 1.3


@pytest.mark.parametrize("name", ["largest_component", "inner_border_band", "outer_border_mask", "safe_erosion"])
def test_arguments_are_not_written_into(name: str) -> None:
    mask = random_mask(5)
    before = mask.copy()
    function = getattr(regions, name)
    changed = function(mask) if name == "largest_component" else function(mask, 2)
    changed[:] = ~changed
    assert np.array_equal(mask, before)
