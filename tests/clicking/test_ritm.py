"""`ritm` against the plain rule and against upstream's recorded clicks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from mask_cases import KINDS, random_case
from numpy.typing import NDArray
from plain_rules import plain_ritm, squared_distances
from scipy.ndimage import gaussian_filter

from iiszoo.clicking.robots import ritm

Mask = NDArray[np.bool_]
Found = tuple[int, int, bool] | None


def tensor(mask: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None]


def fast_ritm(target: Mask, prediction: Mask, ignore: Mask | None = None, clicks: Any = ()) -> Found:
    """`ritm` in the form of `plain_ritm`. Which list an earlier click is in makes no difference; both are used."""
    clicks = [tuple(int(v) for v in click) for click in clicks]
    pcs, ncs = ritm(
        tensor(prediction.astype(np.float32)),
        tensor(target),
        [[clicks[::2]]],
        [[clicks[1::2]]],
        ignore=None if ignore is None else tensor(ignore),
    )
    points = [(*point, True) for point in pcs[-1][0]] + [(*point, False) for point in ncs[-1][0]]
    assert len(points) <= 1
    return points[0] if points else None


def assert_same_click(target: Mask, prediction: Mask, ignore: Mask | None, clicks: list[tuple[int, int]]) -> None:
    found, wanted = fast_ritm(target, prediction, ignore, clicks), plain_ritm(target, prediction, ignore, clicks)
    assert found == wanted, (target.astype(int), prediction.astype(int), ignore, clicks)


@settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**63 - 1))
def test_ritm_is_the_plain_rule_on_random_shapes(seed: int) -> None:
    assert_same_click(*random_case(np.random.default_rng(seed), 48))


@pytest.mark.parametrize("block", range(4))
def test_ritm_is_the_plain_rule_on_fixed_cases(block: int) -> None:
    for seed in range(block * 500, (block + 1) * 500):
        assert_same_click(*random_case(np.random.default_rng(seed), 40))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_ritm_is_the_plain_rule_on_tiny_masks(data: st.DataObject) -> None:
    """Small enough for hypothesis to choose, and to shrink, every pixel."""
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    masks = npst.arrays(np.bool_, shape)
    target, prediction = data.draw(masks), data.draw(masks)
    ignore = data.draw(st.none() | masks)
    pixels = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    assert_same_click(target, prediction, ignore, data.draw(st.lists(pixels, max_size=6)))


@pytest.mark.parametrize("shape", [(240, 320), (40, 600), (600, 40), (1, 500), (500, 1)])
def test_ritm_is_the_plain_rule_on_images(shape: tuple[int, int]) -> None:
    """Large distances, long rows, thin images."""
    rng = np.random.default_rng(shape[0])
    for sigma in (1, 4, 12, 30, 60):
        target, other = (gaussian_filter(rng.standard_normal(shape), sigma) > 0 for _ in range(2))
        for prediction in (other, np.zeros_like(target), ~target, np.roll(target, 6, 1)):
            clicks: list[tuple[int, int]] = []
            for _ in range(2):
                assert_same_click(target, prediction, None, clicks)
                clicks += [found[:2]] if (found := plain_ritm(target, prediction, None, clicks)) else []


@pytest.mark.parametrize("height", [507, 508, 509, 510, 511, 512])
def test_ritm_where_its_integers_get_wider(height: int) -> None:
    """Distances along a column reach the limit of 8 bits, and runs exceed it."""
    target = np.ones((height, 540), bool)
    for _ in range(2):
        assert_same_click(target, ~target, None, [])
        target = target.copy()
        target[height // 2, :20] = False


@pytest.mark.parametrize("height", [70_000, 131_068, 131_069])
def test_ritm_on_very_tall_images(height: int) -> None:
    target = np.zeros((height, 3), bool)
    target[100:-100] = True
    target[40_000, 1] = False
    assert_same_click(target, np.zeros_like(target), None, [(101, 1), (100, 0)])


def test_a_compact_error_ties_with_a_scattered_one() -> None:
    """A disk is the smallest error that has its distance: no bound by size may pass it over."""
    rows, cols = np.indices((41, 41)) - 20
    false_negative = np.zeros((41, 100), bool)
    false_negative[:, 82::2] = True
    for square in range(1, 20**2):
        disk = rows**2 + cols**2 < square
        target, prediction = false_negative.copy(), np.zeros_like(false_negative)
        target[:, 41:82] |= disk
        prediction[:, :41] |= disk
        assert_same_click(target, prediction, None, [])
        assert_same_click(target[:, ::-1], prediction[:, ::-1], None, [])


def test_the_plain_rule_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        shape = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
        error = KINDS[rng.integers(len(KINDS))](rng, shape)
        outside = np.argwhere(~np.pad(error, 1)) - 1
        for r, c in np.ndindex(shape):
            nearest = int(((outside - (r, c)) ** 2).sum(1).min())
            assert squared_distances(error)[r, c] == nearest


# Upstream's clicks.


def fixture(shared: Path) -> tuple[Any, dict[str, Any]]:
    stored = np.load(shared / "parity" / "click_robot.npz")
    return stored, json.loads(stored["meta_json"].tobytes())


def assert_upstream_click(target: NDArray[np.int8], prediction: Mask, clicks: list[Any], wanted: Any) -> None:
    """`wanted`: upstream's (row, col, is positive).

    Where nothing is left to click upstream clicks negative at (0, 0), again and again; iiszoo gives no click: the
    session is done.
    """
    row, col, positive = (int(v) for v in wanted)
    found = fast_ritm(target == 1, prediction, target == -1, clicks)
    if found is None:
        error = ((target == 1) != prediction) & (target != -1)
        assert set(zip(*(i.tolist() for i in np.nonzero(error)), strict=True)) <= {tuple(click) for click in clicks}
        assert (row, col, positive) == (0, 0, 0)
    else:
        assert found == (row, col, bool(positive))


def test_upstream_pairs(shared: Path) -> None:
    stored, meta = fixture(shared)
    assert len(meta["tags"]) == 150
    targets, predictions, shapes, four_clicks = (stored[k] for k in ("gt", "pred", "shape", "clicks4"))
    for target, packed, (h, w), wanted in zip(targets, predictions, shapes, four_clicks, strict=True):
        prediction = np.unpackbits(packed, axis=-1).astype(bool)[:h, :w]
        for k in range(4):
            assert_upstream_click(target[:h, :w], prediction, wanted[:k, :2].tolist(), wanted[k])


def test_upstream_sequences(shared: Path) -> None:
    """Whole sessions: of stored predictions, and of a painter, whose predictions follow from the clicks."""
    stored, meta = fixture(shared)
    n_clicks = 0
    for sequence in meta["seqs"]:
        i, (h, w) = sequence["i"], sequence["shape"]
        painter = sequence["kind"] == "painter"
        target = stored[f"seq{'B' if painter else 'A'}_gt_{i}"]
        rows, cols = np.indices((h, w))
        prediction = np.zeros((h, w), bool)
        clicks: list[Any] = []
        for k, wanted in enumerate(sequence["clicks"]):
            assert_upstream_click(target, prediction, clicks, wanted)
            clicks.append(wanted[:2])
            n_clicks += 1
            if painter:
                radius = max(3, sequence["R"] * 4 // (4 + k))
                prediction = prediction.copy()
                prediction[(rows - wanted[0]) ** 2 + (cols - wanted[1]) ** 2 <= radius**2] = wanted[2]
            else:
                prediction = np.unpackbits(stored[f"seqA_pred_{i}"][k], axis=-1).astype(bool)[:, :w]
    assert n_clicks > 500
