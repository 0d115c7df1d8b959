"""The clicks that training begins with."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from mask_cases import blobs

from iiszoo.clicking.initial import jittered_grid, multi_point, no_clicks
from iiszoo.protocol import Clicks


def generators(n: int, first: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(first + b) for b in range(n)]


@pytest.fixture(scope="module")
def square() -> torch.Tensor:
    """600 times the same target: a square of 20 x 20 in 60 x 60."""
    target = torch.zeros(1, 1, 60, 60, dtype=torch.bool)
    target[..., 20:40, 20:40] = True
    return target.expand(600, 1, 60, 60)


def points(clicks: Clicks) -> list[list[tuple[int, int]]]:
    """The clicks of each element of a single interaction."""
    (interaction,) = clicks
    return interaction


def test_no_clicks() -> None:
    assert no_clicks(torch.zeros(3, 1, 4, 4)) == ([], [])


def test_a_grid_has_one_click_a_cell_uniform_in_it(square: torch.Tensor) -> None:
    pcs, ncs = jittered_grid(square, n_rows=3, n_cols=4, generators=generators(600))
    places: list[Counter[int]] = [Counter(), Counter()]
    for positives, negatives in zip(points(pcs), points(ncs), strict=True):
        assert sorted((r // 20, c // 15) for r, c in [*positives, *negatives]) == list(np.ndindex(3, 4))
        assert all(20 <= r < 40 and 20 <= c < 40 for r, c in positives)
        assert not any(20 <= r < 40 and 20 <= c < 40 for r, c in negatives)
        places[0].update(r % 20 for r, _ in [*positives, *negatives])
        places[1].update(c % 15 for _, c in [*positives, *negatives])
    for counts, n in zip(places, (20, 15), strict=True):
        assert sorted(counts) == list(range(n))
        assert all(abs(counts[i] - 7200 / n) < 5 * np.sqrt(7200 / n) for i in range(n))


def test_a_grid_leaves_out_ignored_pixels_and_cells_without_any() -> None:
    targets = torch.zeros(1, 1, 8, 8)
    ignore = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    ignore[..., :4, :4] = True
    ignore[..., 4:, :3] = True
    for seed in range(30):
        _, ncs = jittered_grid(targets, n_rows=2, n_cols=2, ignore=ignore, generators=generators(1, seed))
        assert len(points(ncs)[0]) == 3
        assert not any(ignore[0, 0, r, c] for r, c in points(ncs)[0])
    _, ncs = jittered_grid(targets[..., :1, :2], n_rows=4, n_cols=4)
    assert sorted(points(ncs)[0]) == [(0, 0), (0, 1)]


def test_multi_point_numbers_are_geometric(square: torch.Tensor) -> None:
    n_positive: Counter[int] = Counter()
    n_negative: Counter[int] = Counter()
    for part in range(5):
        pcs, ncs = multi_point(square, generators=generators(600, 600 * part))
        n_positive.update(map(len, points(pcs)))
        n_negative.update(map(len, points(ncs)))
    for counts, numbers in ((n_positive, range(1, 13)), (n_negative, range(13))):
        weights = 0.8 ** np.arange(len(numbers))
        wanted = 3000 * weights / weights.sum()
        assert set(counts) <= set(numbers)
        assert all(abs(counts[k] - w) < 5 * np.sqrt(w) for k, w in zip(numbers, wanted, strict=True))


def test_multi_point_draws_negatives_by_their_shares(square: torch.Tensor) -> None:
    others = torch.zeros_like(square)
    others[..., :5, :5] = True
    others[..., 25, 25] = True  # what is target is no other object
    _, ncs = multi_point(square, others, generators=generators(600))
    flat = [click for element in points(ncs) for click in element]
    assert not any(20 <= r < 40 and 20 <= c < 40 for r, c in flat)
    other = sum(r < 5 and c < 5 for r, c in flat) / len(flat)
    # two pixels wide, along rows and columns: ceil(0.1 * sqrt(400))
    border = sum(18 <= r < 42 and 18 <= c < 42 for r, c in flat) / len(flat)
    beside = 60 * 60 - 20 * 20
    assert abs(other - (0.4 + 0.1 * 25 / beside)) < 0.05
    assert abs(border - (0.5 + 0.1 * (24 * 24 - 400) / beside)) < 0.05
    for shares in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        _, ncs = multi_point(square, others, shares=shares, generators=generators(600))
        for r, c in (click for element in points(ncs) for click in element):
            assert shares[1] == 0 or (r < 5 and c < 5)
            assert shares[2] == 0 or (18 <= r < 42 and 18 <= c < 42)


def test_multi_point_takes_the_background_where_there_is_no_other_object(square: torch.Tensor) -> None:
    for others in (None, torch.zeros_like(square)):
        _, ncs = multi_point(square, others, shares=(0, 1, 0), generators=generators(600))
        far = [r for element in points(ncs) for r, _ in element if r < 10]
        assert far


def test_multi_point_mostly_clicks_inside_the_object(square: torch.Tensor) -> None:
    pcs, _ = multi_point(square, generators=generators(600))
    elements = points(pcs)
    assert all(20 <= r < 40 and 20 <= c < 40 for element in elements for r, c in element)
    outer = sum(any(not (23 <= r < 37 and 23 <= c < 37) for r, c in element) for element in elements)
    assert 0.03 < outer / 600 < 0.1  # one in ten is drawn from all of it, and half of its pixels are in the outer rim
    small = torch.zeros(40, 1, 60, 60)
    small[..., 5:14, 5:14] = 1  # eroded three times 9 pixels are left: too few
    rim = [c for element in points(multi_point(small, generators=generators(40))[0]) for _, c in element if c < 8]
    assert rim


def test_multi_point_on_odd_targets() -> None:
    empty, full = torch.zeros(1, 1, 7, 9), torch.ones(1, 1, 7, 9)
    for seed in range(20):
        pcs, ncs = multi_point(empty, generators=generators(1, seed))
        assert pcs == [[[]]]
        pcs, ncs = multi_point(full, generators=generators(1, seed))
        assert ncs == [[[]]]
        assert points(pcs)[0]
        assert multi_point(full, ignore=full.bool(), generators=generators(1, seed)) == ([[[]]], [[[]]])


@pytest.mark.parametrize("initial", [jittered_grid, multi_point])
def test_an_element_depends_on_no_other(initial: Any) -> None:
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(np.stack([blobs(rng, (20, 25)) for _ in range(4)])[:, None])
    ignore = torch.from_numpy(rng.random((4, 1, 20, 25)) < 0.3)
    pcs, ncs = initial(targets, ignore=ignore, generators=generators(4))
    for b in range(4):
        one = slice(b, b + 1)
        alone = initial(targets[one], ignore=ignore[one], generators=generators(4)[one])
        assert alone == ([[points(pcs)[b]]], [[points(ncs)[b]]])
        assert not any(ignore[b, 0, r, c] for r, c in points(pcs)[b] + points(ncs)[b])
        assert all(type(v) is int for click in points(pcs)[b] + points(ncs)[b] for v in click)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": torch.zeros(2, 5, 5)}, "targets must have shape"),
        ({"others": torch.zeros(2, 1, 5, 4)}, "others .* differ in shape"),
        ({"ignore": torch.zeros(1, 1, 5, 5)}, "ignore .* differ in shape"),
        ({"generators": [None]}, "1 generators were given for 2 elements"),
        ({"shares": (0.5, 0.5, 0.5)}, "shares must be three probabilities that add up to 1"),
    ],
)
def test_arguments_that_disagree(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multi_point(**{"targets": torch.zeros(2, 1, 5, 5), **change})
