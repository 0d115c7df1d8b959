"""The robot `gto99` makes the clicks of GTO99's own code, and where `center-largest` makes others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mask_cases import random_case
from numpy.typing import NDArray
from plain_rules import squared_distances

from iiszoo.clicking.regions import connected_components
from iiszoo.clicking.robots import center_largest, gto99
from iiszoo.protocol import Robot

Mask = NDArray[np.bool_]
Made = list[int]
"""A click as upstream writes it: row, column, and 1 for positive, 0 for negative."""

NOTHING_WRONG = [-1, -1, 0]
"""Upstream then clicks negative at the last pixel; here there is no click."""

OTHER_COMPONENT = [63, 69, 71]
"""The cases in which one of equal components has the first pixel, and another the first block."""


def click(robot: Robot, alpha: NDArray[Any], target: NDArray[Any], earlier: Any = (), threshold: float = 0.5) -> Made:
    """`alpha` (H, W); `target` int8 (H, W): 0 background, 1 object, -1 void."""
    pcs, ncs = robot(
        torch.from_numpy(alpha.astype(np.float32))[None, None],
        torch.from_numpy(target == 1)[None, None],
        [[list(earlier)]],
        [[[]]],
        ignore=torch.from_numpy(target == -1)[None, None],
        threshold=threshold,
    )
    made = [[*point, 1] for point in pcs[-1][0]] + [[*point, 0] for point in ncs[-1][0]]
    assert len(made) <= 1
    return made[0] if made else NOTHING_WRONG


def upstreams_click(prediction: Mask, target: NDArray[np.int8]) -> Made:
    """The rule as upstream states it, labels by OpenCV; but distances are exact."""
    largest = []
    for value in (0, 1):
        wrong = (target == value) & (prediction != value)
        _, labels = cv2.connectedComponents(wrong.astype(np.uint8), connectivity=8)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        largest.append((labels == sizes.argmax()) & wrong)
    value = int(largest[1].sum() > largest[0].sum())
    if not largest[value].any():
        return NOTHING_WRONG
    distances = squared_distances(largest[value])
    return [*(int(i) for i in np.unravel_index(distances.argmax(), distances.shape)), value]


def paint(painting: Mask, target: NDArray[np.int8], click: Made, number: int, kind: str) -> Mask:
    """The painter that the fixture's evaluations have for a network: a disc, the later the smaller."""
    row, col, category = click
    radius = max(3, max(painting.shape) // 4 * 4 // (4 + number))
    rows, cols = np.indices(painting.shape)
    disc = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    return np.where(disc, target == 1 if kind == "oracle" else bool(category), painting)


def set_clicked(alpha: Mask, clicks: list[Made]) -> Mask:
    """With NOTHING_WRONG at the last pixel, as upstream has it; positive clicks win."""
    alpha = alpha.copy()
    for row, col, category in sorted(clicks, key=lambda click: click[2]):
        alpha[row, col] = category
    return alpha


def keep_clicked(alpha: Mask, clicks: list[Made]) -> Mask:
    """What is connected with a positive click; everything where there is none."""
    positive = [(row, col) for row, col, category in clicks if category == 1]
    if not positive:
        return alpha
    labels, _ = connected_components(alpha, 8)
    return np.isin(labels, [labels[point] for point in positive]) & alpha


@pytest.fixture(scope="module")
def stored(shared: Path) -> Any:
    with np.load(shared / "parity" / "gto99_robot.npz") as file:
        return dict(file)


def cases(stored: Any) -> Iterator[tuple[int, Mask, NDArray[np.int8]]]:
    """(number, prediction, target)."""
    for case, (h, w) in enumerate(stored["shape"]):
        prediction = np.unpackbits(stored["pred"][case], axis=-1).astype(bool)
        yield case, prediction[:h, :w], stored["gt"][case, :h, :w]


def test_upstreams_first_clicks(stored: Any) -> None:
    wanted = stored["click_same"].tolist()
    assert [click(gto99, prediction, target) for _, prediction, target in cases(stored)] == wanted


def test_center_largest_differs_where_equal_components_are_ordered_otherwise(stored: Any) -> None:
    wanted = stored["click_same"].tolist()
    found = {case: click(center_largest, prediction, target) for case, prediction, target in cases(stored)}
    assert [case for case in found if found[case] != wanted[case]] == OTHER_COMPONENT


def test_upstreams_three_clicks(stored: Any) -> None:
    for case, prediction, target in cases(stored):
        alpha = prediction
        clicks: list[Made] = []
        for wanted in stored["clicks3"][case].tolist():
            earlier = [(row, col) for row, col, _ in clicks if row >= 0]
            assert click(gto99, alpha, target, earlier) == wanted, case
            clicks.append(wanted)
            alpha = keep_clicked(set_clicked(alpha, clicks), clicks)
        final = np.unpackbits(stored["final_alpha"][case], axis=-1).astype(bool)
        assert np.array_equal(alpha, final[: alpha.shape[0], : alpha.shape[1]]), case


def test_upstreams_evaluations(stored: Any) -> None:
    """Three, of 15 samples and 20 clicks each, with a painter in place of the network."""
    for run, how in enumerate(json.loads(stored["meta_json"].tobytes())["evaluation"]):
        for sample in range(15):
            target = stored[f"ev_gt_{sample}"]
            painting = alpha = np.zeros(target.shape, bool)
            clicks: list[Made] = []
            for number, wanted in enumerate(stored[f"ev_clicks_{run}"][sample].tolist()):
                earlier = [(row, col) for row, col, _ in clicks if row >= 0]
                assert click(gto99, alpha, target, earlier) == wanted, (run, sample, number)
                clicks.append(wanted)
                painting = paint(painting, target, wanted, number, how["kind"])
                alpha = set_clicked(painting, clicks)
                if how["cut"]:
                    alpha = keep_clicked(alpha, clicks)


def test_the_clicks_of_a_whole_evaluation(shared: Path) -> None:
    """The network's own (with synthetic weights): after each of its predictions, the next click."""
    with np.load(shared / "parity" / "evaluate_gto99.npz") as file:
        stored = dict(file)
    for run in json.loads(stored["meta_json"].tobytes())["seqs"]:
        target = stored[f"gt::{run['image']}"]
        predictions = np.unpackbits(stored[f"masks::{run['image']}"], axis=-1).astype(bool)[..., : target.shape[1]]
        before = [np.zeros(target.shape, bool), *predictions[:-1]]
        assert [click(gto99, prediction, target) for prediction in before] == run["clicks"]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31))
def test_it_is_upstreams_rule(seed: int) -> None:
    object_, prediction, ignore, clicks = random_case(np.random.default_rng(seed), 24)
    target = np.where(False if ignore is None else ignore, -1, object_).astype(np.int8)
    assert click(gto99, prediction, target, clicks) == upstreams_click(prediction, target)


def test_the_first_block_goes_before_the_first_pixel() -> None:
    target = np.zeros((4, 6), np.int8)
    target[0, 4] = target[1, 0] = 1
    nothing = np.zeros((4, 6), bool)
    assert click(gto99, nothing, target) == [1, 0, 1]
    assert click(center_largest, nothing, target) == [0, 4, 1]


def test_earlier_clicks_are_not_avoided() -> None:
    target = np.ones((3, 5), np.int8)
    nothing = np.zeros((3, 5), bool)
    assert click(gto99, nothing, target, [(1, 1)]) == [1, 1, 1]
    assert click(center_largest, nothing, target, [(1, 1)]) == [1, 2, 1]


def test_the_threshold_below_a_half_is_upstreams() -> None:
    """Upstream predicts object where alpha >= 0.5."""
    target = np.ones((3, 5), np.int8)
    below = np.nextafter(np.float32(0.5), np.float32(0))
    for alpha, wanted in ((np.float32(0.5), NOTHING_WRONG), (below, [1, 1, 1])):
        assert click(gto99, np.full((3, 5), alpha), target, threshold=0.49999997) == wanted
    assert click(gto99, np.full((3, 5), np.float32(0.5)), target) == [1, 1, 1]
