"""Masks made from the target: how good they are, where their defects lie, and on what they depend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from iiszoo.data.flawed_mask import _plan, flawed_mask

Mask = NDArray[np.bool_]


def disk(height: int = 120, width: int = 160, radius: float = 40) -> Mask:
    rows, cols = np.ogrid[:height, :width]
    mask: Mask = (rows - height // 2) ** 2 + (cols - width // 2) ** 2 <= radius**2
    return mask


def iou(mask: Mask, target: Mask, ignore: Mask | None = None) -> float:
    counted = np.ones_like(target) if ignore is None else ~ignore
    return float((mask & target & counted).sum() / ((mask | target) & counted).sum())


@pytest.mark.parametrize(("low", "high"), [(0.75, 0.85), (0.2, 0.25), (0.97, 0.98), (0.05, 0.95)])
def test_the_iou_lies_in_the_range_and_spreads_over_it(low: float, high: float) -> None:
    target = disk()
    found = [iou(flawed_mask(target, None, np.random.default_rng(seed), low, high), target) for seed in range(40)]
    assert low <= min(found) < low + 0.3 * (high - low)
    assert high >= max(found) > high - 0.3 * (high - low)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 14), st.integers(1, 14), st.integers(0, 2))
def test_any_object_with_ignored_pixels_or_without(seed: int, height: int, width: int, ignoring: int) -> None:
    """In the range, or refused where no numbers of wrong pixels give such an IoU: searched for here one by one."""
    rng = np.random.default_rng(seed)
    target = rng.random((height, width)) < rng.choice([0.2, 0.5, 1.0])
    ignore = None if ignoring == 0 else rng.random((height, width)) < 0.2 * ignoring
    counted = np.ones_like(target) if ignore is None else ~ignore
    n, ground = int((target & counted).sum()), int((~target & counted).sum())
    possible = any(0.75 <= (n - r) / (n + a) <= 0.85 for r in range(n) for a in range(ground + 1))
    if possible:
        before = target.copy()
        mask = flawed_mask(target, ignore, rng)
        assert 0.75 <= iou(mask, target, ignore) <= 0.85
        assert mask.dtype == np.bool_
        assert np.array_equal(target, before)
    elif n:
        with pytest.raises(ValueError, match=rf"no mask has an IoU of 0.75 to 0.85 with an object of {n} pixel"):
            flawed_mask(target, ignore, rng)


def test_defects_come_in_the_published_proportions() -> None:
    kinds = [defect.kind for seed in range(3000) for defect in _plan(np.random.default_rng(seed))]
    shares = {kind: kinds.count(kind) / len(kinds) for kind in set(kinds)}
    assert shares == pytest.approx({"boundary": 0.65, "outside": 0.25, "hole": 0.10}, abs=0.01)


def test_each_kind_lies_where_its_name_says() -> None:
    """An external false positive does not touch the object, a hole does not reach its border; all else does."""
    target = disk()
    near = ndimage.binary_dilation(target, np.ones((3, 3)))
    edge = target & ~ndimage.binary_erosion(target, np.ones((3, 3)))
    seen = {"outside": 0, "hole": 0, "added": 0, "removed": 0}
    for seed in range(60):
        mask = flawed_mask(target, None, np.random.default_rng(seed))
        expected = {defect.kind for defect in _plan(_after_goal(seed))}
        added, n_added = ndimage.label(mask & ~target, np.ones((3, 3)))
        apart = sum(not (near & (added == label)).any() for label in range(1, n_added + 1))
        removed, n_removed = ndimage.label(target & ~mask, np.ones((3, 3)))
        holes = sum(not (edge & (removed == label)).any() for label in range(1, n_removed + 1))
        assert (apart > 0) <= ("outside" in expected)
        assert (holes > 0) <= ("hole" in expected)
        seen["outside"] += apart > 0
        seen["hole"] += holes > 0
        seen["added"] += n_added > apart
        seen["removed"] += n_removed > holes
    assert min(seen.values()) > 5


def _after_goal(seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    rng.uniform()
    return rng


def test_it_depends_on_the_generator_and_the_target_alone() -> None:
    target = disk()
    masks = [flawed_mask(target, None, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def test_ignored_pixels_count_neither_way_but_a_defect_covers_them() -> None:
    """The band that GrabCut ignores lies round the whole object: a defect beyond it is no island."""
    target = disk()
    ignore = disk(radius=48) & ~target
    touched = 0
    for seed in range(20):
        mask = flawed_mask(target, ignore, np.random.default_rng(seed))
        assert 0.75 <= iou(mask, target, ignore) <= 0.85
        touched += bool((mask & ignore).any())
    assert touched > 10


@pytest.mark.parametrize("target", [np.ones((30, 40), bool), np.eye(40, dtype=bool), disk(30, 30, 2)])
def test_odd_objects(target: Mask) -> None:
    for seed in range(10):
        assert 0.75 <= iou(flawed_mask(target, None, np.random.default_rng(seed)), target) <= 0.85
