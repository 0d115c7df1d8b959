"""Every robot by its rule: where it may click, with which probability, and what happens where nothing is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mask_cases import random_case
from numpy.typing import NDArray
from plain_rules import plain_ritm, squared_distances
from scipy import ndimage

from iiszoo.clicking import robots
from iiszoo.clicking.loading import load_robot, robot_version
from iiszoo.errors import BadOption, UnknownId
from iiszoo.protocol import Robot
from iiszoo.registry import registry

Mask = NDArray[np.bool_]
Pixel = tuple[int, int]

EVERY = [
    f"{card.id}:ritm=0.7,random-false=0.3" if card.id == "mix" else card.id
    for card in registry().robots.cards()
    if card.id != "recorded"  # it has tests of its own
]

AVOID_CLICKED_PIXELS = ("ritm", "noisy-ritm", "center-largest", "distance-sequential")
"""They end where every error was clicked; noisy-ritm aims at an unclicked pixel, though it may miss it."""


def tensor(mask: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(mask.copy())[None, None]


def click(
    robot: Robot,
    target: Mask,
    prediction: Mask,
    ignore: Mask | None = None,
    clicks: Any = (),
    seed: int = 0,
    n_points: int = 1,
) -> list[Pixel]:
    """The new clicks of one sample; their polarity is checked on the way."""
    pcs, ncs = robot(
        tensor(prediction).float(),
        tensor(target),
        [[list(clicks)]],
        [[[]]],
        n_points,
        ignore=None if ignore is None else tensor(ignore),
        generators=[np.random.default_rng(seed)],
    )
    assert all(target[point] for point in pcs[-1][0])
    assert not any(target[point] for point in ncs[-1][0])
    return [*pcs[-1][0], *ncs[-1][0]]


def draws(robot: Robot, target: Mask, prediction: Mask, n: int = 3000, **given: Any) -> Counter[Pixel]:
    return Counter(point for seed in range(n) for point in click(robot, target, prediction, seed=seed, **given))


def assert_drawn_by(weights: NDArray[Any], counts: Counter[Pixel]) -> None:
    """Whether the counts fit the weights of the pixels: within five standard deviations everywhere."""
    n = counts.total()
    wanted = n * weights / weights.sum()
    found = np.zeros(weights.shape)
    for pixel, count in counts.items():
        found[pixel] = count
    assert not found[weights == 0].any()
    assert (np.abs(found - wanted) <= 5 * np.sqrt(wanted) + 1).all()


def masks(drawing: str) -> tuple[Mask, Mask, Mask]:
    """(target, prediction, ignored): . background, n false negative, p false positive, o object, x ignored."""
    chars = np.array([list(line.split("|")[0].strip()) for line in drawing.strip().splitlines()])
    return np.isin(chars, ("n", "o", "x")), np.isin(chars, ("p", "o")), chars == "x"


def error_labels(target: Mask, prediction: Mask, ignore: Mask | None, connectivity: int) -> list[Mask]:
    """The components of the false positives, then of the false negatives, by plain flood filling."""
    valid = np.ones_like(target) if ignore is None else ~ignore
    components = []
    for error in (prediction & ~target & valid, target & ~prediction & valid):
        left = {(int(r), int(c)) for r, c in np.argwhere(error)}
        while left:
            front = [min(left)]
            left.discard(front[0])
            component = np.zeros_like(error)
            while front:
                r, c = front.pop()
                component[r, c] = True
                for dr, dc in np.ndindex(3, 3):
                    near = (r + dr - 1, c + dc - 1)
                    if near in left and (connectivity == 8 or 1 in (dr, dc)):
                        left.discard(near)
                        front.append(near)
            components.append(component)
    return components


def largest(target: Mask, prediction: Mask, ignore: Mask | None, connectivity: int) -> Mask:
    components = error_labels(target, prediction, ignore, connectivity)
    return max(components, key=lambda component: component.sum())  # the first of equals: false positives come first


# What holds for every robot.


@pytest.mark.parametrize("id", EVERY)
def test_nothing_wrong_no_click(id: str) -> None:
    robot = load_robot(id)
    yes, no = np.ones((5, 6), bool), np.zeros((5, 6), bool)
    assert click(robot, yes, yes, n_points=3) == []
    assert click(robot, no, no) == []
    assert click(robot, yes, no, ignore=yes) == []
    assert click(robot, np.ones((1, 1), bool), np.ones((1, 1), bool)) == []


@pytest.mark.parametrize("id", EVERY)
def test_one_wrong_pixel(id: str) -> None:
    wrong = np.zeros((4, 4), bool)
    wrong[3, 0] = True
    ignore = ~wrong
    assert click(load_robot(id), wrong, np.zeros_like(wrong), ignore=ignore) == [(3, 0)]
    assert click(load_robot(id), np.zeros_like(wrong), wrong, ignore=ignore) == [(3, 0)]
    one = np.ones((1, 1), bool)
    assert click(load_robot(id), one, ~one) == [(0, 0)]


@pytest.mark.parametrize("id", EVERY)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31))
def test_clicks_lie_on_errors_and_follow_the_seed(id: str, seed: int) -> None:
    target, prediction, ignore, clicks = random_case(np.random.default_rng(seed), 24)
    robot = load_robot(id)
    error = (target != prediction) & (True if ignore is None else ~ignore)
    points = click(robot, target, prediction, ignore, clicks, seed, n_points=2)
    assert points == click(robot, target, prediction, ignore, clicks, seed, n_points=2)
    left = error.copy()
    for row, col in clicks if id in AVOID_CLICKED_PIXELS else []:
        left[row, col] = False
    if id.startswith("mix"):  # of one that does and one that does not
        assert error.any() or not points
    else:
        assert bool(points) == left.any()
    for point in points:
        assert error[point] or (id == "random" and (ignore is None or not ignore[point]))


@pytest.mark.parametrize("id", EVERY)
def test_a_sample_does_not_depend_on_its_neighbours(id: str) -> None:
    robot = load_robot(id)
    rng = np.random.default_rng(0)
    outputs = torch.from_numpy((rng.random((5, 1, 12, 17)) < 0.5).astype(np.float32))
    targets = torch.from_numpy(rng.random((5, 1, 12, 17)) < 0.5)
    outputs[2] = targets[2].float()

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(b) for b in range(5)]

    together: Any = ([], [])
    alone: list[Any] = [([], []) for _ in range(5)]
    all_generators, own_generators = generators(), generators()
    for _ in range(3):
        before = [[[list(e) for e in k] for k in clicks] for clicks in together]
        longer = robot(outputs, targets, *together, 2, generators=all_generators)
        assert list(together) == before
        together = longer
        for b in range(5):
            one = slice(b, b + 1)
            alone[b] = robot(outputs[one], targets[one], *alone[b], 2, generators=own_generators[one])
    for b in range(5):
        assert tuple(alone[b]) == tuple([[k[b]] for k in clicks] for clicks in together)
    assert all(k[2] == [] for clicks in together for k in clicks)


# The rules, one by one.


def test_random_is_uniform_over_the_image() -> None:
    target, prediction, ignore = masks("""
        ...xx
        .nn.x
        .oop.
        """)
    counts = draws(robots.random, target, prediction, ignore=ignore)
    assert_drawn_by(~ignore, counts)


def test_random_false_is_uniform_over_the_errors() -> None:
    target, prediction, ignore = masks("""
        ...xx
        .nn.x
        .oopp
        """)
    assert_drawn_by((target != prediction) & ~ignore, draws(robots.random_false, target, prediction, ignore=ignore))


def test_random_largest_keeps_false_positives_and_false_negatives_apart() -> None:
    target, prediction, ignore = masks("""
        .nnnpp.
        ....pp.
        p......
        """)
    wanted = prediction & ~target
    wanted[2, 0] = False
    assert_drawn_by(wanted, draws(robots.random_largest, target, prediction, 800, ignore=ignore))


def test_random_largest_joins_no_corners() -> None:
    target, prediction, _ = masks("""
        nn...
        nn.nn
        ..n.n
        """)
    wanted = np.zeros_like(target)
    wanted[:2, :2] = True
    assert_drawn_by(wanted, draws(robots.random_largest, target, prediction, 800))


@pytest.mark.parametrize("robot", [robots.center_largest, robots.gto99])
def test_center_largest_and_gto99_join_corners(robot: Robot) -> None:
    target, prediction, _ = masks("""
        nnn....n
        nnn...n.
        nnn..n..
        ....nn..
        ....nnnn
        ..nn....
        """)
    component = target.copy()
    component[:3, :3] = False  # nine pixels, and deeper than the eleven that touch at corners
    assert squared_distances(component).max() == 1 < squared_distances(target).max()
    assert click(robot, target, prediction) == [(0, 7)]


@pytest.mark.parametrize("robot", [robots.random_largest, robots.center_largest, robots.gto99, robots.boundary])
def test_of_equal_components_the_false_positive_counts(robot: Robot) -> None:
    target, prediction, _ = masks("""
        nn..pp
        nn..pp
        """)
    assert {click(robot, target, prediction, seed=seed)[0][1] for seed in range(30)} <= {4, 5}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31))
def test_center_largest_is_the_plain_rule(seed: int) -> None:
    target, prediction, ignore, clicks = random_case(np.random.default_rng(seed), 20)
    components = error_labels(target, prediction, ignore, 8)
    components.sort(key=lambda component: -component.sum())  # stable: false positives first, then by first pixel
    wanted: list[Pixel] = []
    for component in components:
        distances = squared_distances(component)
        for row, col in clicks:
            distances[row, col] = 0
        if distances.any():
            row, col = np.unravel_index(distances.argmax(), distances.shape)
            wanted = [(int(row), int(col))]
            break
    assert click(robots.center_largest, target, prediction, ignore, clicks) == wanted


def test_distance_draws_by_depth_and_takes_the_image_border_for_a_border() -> None:
    target, prediction, ignore = masks("""
        nnnn..pp
        nnnn..pp
        nnnn..pp
        nnnnx...
        """)
    depth = np.sqrt(squared_distances((target != prediction) & ~ignore))
    assert depth[1, 1] == 2
    assert depth[0, 0] == 1
    assert_drawn_by(depth, draws(robots.distance, target, prediction, 6000, ignore=ignore))


def test_distance_takes_touching_errors_for_one() -> None:
    target, prediction, _ = masks("""
        nnnppp
        nnnppp
        nnnppp
        """)
    assert_drawn_by(np.sqrt(squared_distances(np.ones((3, 6), bool))), draws(robots.distance, target, prediction, 4000))


def test_distance_sequential_keeps_away_from_earlier_clicks() -> None:
    target, prediction, _ = masks("""
        nnnnn
        nnnnn
        nnnnn
        """)
    left = target.copy()
    left[1, 1] = False
    weights = np.sqrt(squared_distances(left))
    assert_drawn_by(weights, draws(robots.distance_sequential, target, prediction, 6000, clicks=[(1, 1)]))
    for seed in range(20):
        points = click(robots.distance_sequential, target, prediction, seed=seed, n_points=20)
        assert sorted(points) == list(np.ndindex(3, 5))  # each once, then none is left


def test_noisy_ritm_is_a_gaussian_inside_the_component() -> None:
    target, prediction, _ = masks("""
        nnnnnnnnn....
        nnnnnnnnn.nn.
        nnnnnnnnn.nn.
        nnnnnnnnn....
        nnnnnnnnn....
        """)
    centre = plain_ritm(target, prediction)
    assert centre == (2, 2, True)
    component, _ = ndimage.label(target)
    squares = ((np.indices(target.shape).T - centre[:2]).T ** 2).sum(0)
    for sigma in (0.5, 1.0):
        weights = np.exp(-squares / (2 * (3 * sigma) ** 2)) * (component == 1)
        robot = load_robot(f"noisy-ritm:sigma={sigma}")
        assert_drawn_by(weights, draws(robot, target, prediction, 5000))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31))
def test_noisy_ritm_without_noise_is_ritm(seed: int) -> None:
    case = random_case(np.random.default_rng(seed), 24)
    assert click(load_robot("noisy-ritm:sigma=0"), *case, seed=seed) == click(robots.ritm, *case)
    for sigma in ("1e-9", "1e-200", "1e-308"):
        assert click(load_robot(f"noisy-ritm:sigma={sigma}"), *case, seed=seed) == click(robots.ritm, *case)


def test_boundary_stays_near_the_border_of_the_largest_error() -> None:
    target = np.zeros((30, 40), bool)
    target[2:27, 3:30] = True
    target[5:9, 33:38] = True
    prediction = np.zeros_like(target)
    component = target.copy()
    component[:, 32:] = False
    depth = np.sqrt(squared_distances(component))
    assert depth.max() == 13
    assert_drawn_by((depth > 0) & (depth <= 0.3 * 13), draws(robots.boundary, target, prediction, 4000))
    outermost = load_robot("boundary:depth=0")
    assert_drawn_by(depth == 1, draws(outermost, target, prediction, 2000))


def test_mix_chooses_by_weight_and_at_each_call() -> None:
    target = np.zeros((9, 40), bool)
    target[:, :9] = True
    target[0, 9:] = True
    prediction = np.zeros_like(target)
    robot = load_robot("mix:ritm=3,random-false=1")
    centre = plain_ritm(target, prediction)
    assert centre is not None
    counts = draws(robot, target, prediction, 2000)
    assert abs(counts[centre[:2]] / 2000 - 0.75) < 0.05
    robot = load_robot("mix:ritm=1,random=1")
    session: Any = ([], [])
    rng = np.random.default_rng(0)
    for _ in range(20):
        session = robot(tensor(prediction).float(), tensor(target), *session, generators=[rng])
    negatives = sum(len(interaction[0]) for interaction in session[1])  # ritm makes none here
    assert 2 < negatives < 15


# As they are named.


def test_a_mix_changes_with_its_robots(monkeypatch: pytest.MonkeyPatch) -> None:
    before = robot_version("mix:ritm=1,noisy-ritm:sigma=0.2=1")
    card = registry().robots.resolve("ritm")
    monkeypatch.setitem(registry().robots._cards, "ritm", type(card)(**{**vars(card), "version": 2}))
    assert robot_version("mix:ritm=1,noisy-ritm:sigma=0.2=1") == before + 1


@pytest.mark.parametrize(
    ("id", "error", "message"),
    [
        ("ritm:sigma=1", BadOption, "robot 'ritm' takes no argument; write it without ':sigma=1'"),
        (
            "noisy-ritm:0.3",
            BadOption,
            "'0.3' does not have the form NAME=NUMBER; write noisy-ritm or noisy-ritm:sigma=",
        ),
        ("noisy-ritm:sigma=x", BadOption, "'sigma=x' does not have the form NAME=NUMBER"),
        ("noisy-ritm:sigma=nan", BadOption, "'sigma=nan' does not have the form"),
        ("noisy-ritm:sigma=-1", BadOption, "sigma must be 0 or more, not -1"),
        ("noisy-ritm:depth=1", BadOption, "'depth' is unknown; write noisy-ritm"),
        ("boundary:depth=1,depth=2", BadOption, "'depth' is given twice"),
        ("mix", BadOption, "robot 'mix' has no robots to choose from; write mix:ROBOT=WEIGHT"),
        ("mix:", BadOption, "robot 'mix' has no robots to choose from"),
        ("mix:ritm=0", BadOption, "the weight of ritm must be above 0, not 0"),
        ("mix:ritn=1", UnknownId, "no robot is called 'ritn'; nearest: ritm"),
    ],
)
def test_robots_that_cannot_be(id: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        load_robot(id)
    assert message in str(raised.value)


def test_every_robot_has_its_line_and_its_picture_in_the_docs() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "robots.md").read_text("utf-8")
    for card in registry().robots.cards():
        assert f"| `{card.id}` |" in text
        if card.id == "recorded":  # its clicks are those of a file
            continue
        assert f"(robots/{card.id}.jpg)" in text
        assert (docs / "robots" / f"{card.id}.jpg").is_file()
