"""RITM's first clicks on a target of several parts."""

from __future__ import annotations

import numpy as np
import pytest

from iiszoo.clicking.scene_clicks import multi_point_of_scene


@pytest.fixture
def parts():
    masks = np.zeros((2, 60, 80), bool)
    masks[0, 5:30, 5:30] = True
    masks[1, 35:55, 30:60] = True
    return masks


def _clicks(parts, others, n=400, valid=None, **options):
    target = np.any(parts, axis=0) if len(parts) else np.zeros((60, 80), bool)
    rng = np.random.default_rng(0)
    return target, [multi_point_of_scene(list(parts), others, target, valid, rng, **options) for _ in range(n)]


def test_every_part_has_a_click_and_the_numbers_are_geometric(parts):
    target, found = _clicks(parts, None, 900, max_points=24, gamma=0.8)
    for positives, negatives in found[:300]:
        assert all(target[point] for point in positives)
        assert not any(target[point] for point in negatives)
        assert all(any(part[point] for point in positives) for part in parts)
    n = np.array([len(positives) for positives, _ in found])
    assert n.min() == 2
    share = 1 / (0.8 ** np.arange(25)).sum()
    assert abs((n == 2).mean() - share) < 0.05
    assert abs((n == 3).mean() - 0.8 * share) < 0.05
    assert n.max() <= 24


def test_one_part_has_at_least_one_click(parts):
    _, found = _clicks(parts[:1], None, 900, max_points=24, gamma=0.8)
    n = np.array([len(positives) for positives, _ in found])
    assert n.min() == 1
    assert abs((n == 1).mean() - 1 / (0.8 ** np.arange(24)).sum()) < 0.05


def test_no_more_than_max_points(parts):
    _, found = _clicks(parts, None, max_points=3, gamma=1.0)
    assert max(len(positives) for positives, _ in found) == 3
    assert max(len(negatives) for _, negatives in found) == 3


def test_negatives_fall_on_other_objects_around_the_target_and_in_the_background(parts):
    others = np.zeros((60, 80), bool)
    others[2:10, 65:78] = True
    _, found = _clicks(parts, others, 900)
    points = [point for _, negatives in found for point in negatives]
    near = np.mean([others[point] for point in points])
    assert 0.36 < near < 0.49, "0.4, and a few of the background's"
    _, found = _clicks(parts, np.zeros((60, 80), bool), 900)
    fewer = [point for _, negatives in found for point in negatives]
    assert abs(len(fewer) / len(points) - 0.6) < 0.08, "other objects that cannot be seen get no click"


def test_a_scene_without_target_has_negative_clicks_off_all_objects():
    others = np.zeros((60, 80), bool)
    others[20:60] = True
    _, found = _clicks(np.zeros((0, 60, 80), bool), others)
    assert not any(positives for positives, _ in found)
    points = [point for _, negatives in found for point in negatives]
    assert points
    assert all(row < 20 for row, _ in points)


def test_no_click_where_pixels_are_ignored(parts):
    valid = np.zeros((60, 80), bool)
    valid[:, :20] = True
    _, found = _clicks(parts[:1], None, 100, valid=valid)
    assert all(col < 20 for kinds in found for points in kinds for _, col in points)
