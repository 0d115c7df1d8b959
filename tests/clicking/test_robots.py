"""`ritm` against the plain rule and against upstream's recorded clicks; the batch form that `single_sample` makes."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from plain_rules import plain_ritm, squared_distances
from scipy.ndimage import gaussian_filter

from iiszoo.clicking.robots import by_polarity, load_ritm, ritm, single_sample

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


# Masks of every kind that has ever broken a distance transform or a tie.


def blobs(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    field = gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 6))
    return field > field.std() * rng.uniform(-1, 1)


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return rng.random(shape) < rng.random()


def rectangles(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """Equal ones, so that maxima tie, within each, between them, and between errors of both kinds."""
    mask = np.zeros(shape, bool)
    h, w = rng.integers(1, 9, 2)
    for _ in range(rng.integers(1, 6)):
        r, c = rng.integers(-3, shape[0]), rng.integers(-3, shape[1])
        mask[max(r, 0) : max(r + h, 0), max(c, 0) : max(c + w, 0)] = True
    return mask


def disks(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    rows, cols = np.indices(shape)
    square = rng.integers(1, 200)
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 4)):
        mask |= (rows - rng.integers(0, shape[0])) ** 2 + (cols - rng.integers(0, shape[1])) ** 2 < square
    return mask


def constant(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return np.full(shape, rng.random() < 0.5)


def stripes(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return (np.indices(shape)[rng.integers(2)] // rng.integers(1, 8)) % 2 == 0


def symmetric(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    mask = blobs(rng, shape)
    if rng.random() < 0.7:
        mask = mask | mask[::-1]
    if rng.random() < 0.7:
        mask = mask | mask[:, ::-1]
    return mask


KINDS = (blobs, noise, rectangles, disks, constant, stripes, symmetric)


def random_case(rng: np.random.Generator, largest: int) -> tuple[Mask, Mask, Mask | None, list[tuple[int, int]]]:
    """(target, prediction, ignore, clicks)."""
    shape = (int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)))

    def mask() -> Mask:
        return KINDS[rng.integers(len(KINDS))](rng, shape)

    target, prediction = mask(), mask()
    change = rng.integers(4)
    if change == 0:  # mirrored: false negatives and false positives are congruent
        prediction = target[::-1] if rng.random() < 0.5 else target[:, ::-1]
    elif change == 1:  # nearly right
        prediction = np.roll(target, tuple(rng.integers(-3, 4, 2)), (0, 1))
    ignore = None
    if rng.random() < 0.4:
        ignore = mask() & (rng.random(shape) < 0.9)
    clicks = []
    for _ in range(rng.integers(0, 8)):
        if rng.random() < 0.3:
            clicks.append((int(rng.integers(shape[0])), int(rng.integers(shape[1]))))
        elif (found := plain_ritm(target, prediction, ignore, clicks)) is not None:
            clicks.append(found[:2])
    return target, prediction, ignore, clicks


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


# The batch form.


def batch(n: int, shape: tuple[int, int] = (24, 31)) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(outputs, targets, ignore)."""
    rng = np.random.default_rng(n)
    masks = [np.stack([blobs(rng, shape) for _ in range(n)])[:, None] for _ in range(3)]
    return torch.from_numpy(masks[0].astype(np.float32)), torch.from_numpy(masks[1]), torch.from_numpy(masks[2])


def test_elements_are_independent() -> None:
    outputs, targets, ignore = batch(5)
    outputs[3] = targets[3].float()  # done: it gets no click, the others go on
    pcs: list[Any] = []
    ncs: list[Any] = []
    alone: list[tuple[list[Any], list[Any]]] = [([], []) for _ in range(5)]
    for _ in range(3):
        pcs, ncs = ritm(outputs, targets, pcs, ncs, ignore=ignore)
        for b in range(5):
            s = slice(b, b + 1)
            alone[b] = ritm(outputs[s], targets[s], *alone[b], ignore=ignore[s])
    for b in range(5):
        assert alone[b] == ([[k[b]] for k in pcs], [[k[b]] for k in ncs])
    assert all(pcs[k][3] == ncs[k][3] == [] for k in range(3))


def test_arguments_stay_as_they_are() -> None:
    outputs, targets, ignore = batch(2)
    pcs: Any = [[[(3, 4)], []], [[], [(5, 6), (7, 8)]]]
    ncs: Any = [[[], [(0, 0)]], [[(1, 1)], []]]
    arguments = (outputs, targets, pcs, ncs, ignore)
    before = copy.deepcopy(arguments)
    new_pcs, new_ncs = ritm(outputs, targets, pcs, ncs, 2, ignore=ignore)
    assert new_pcs[:-1] == pcs
    assert new_ncs[:-1] == ncs
    for clicks in (*new_pcs, *new_ncs):  # nothing of what came back is shared with what went in
        for element in clicks:
            element.append((9, 9))
        clicks.append([])
    for argument, copied in zip(arguments, before, strict=True):
        assert torch.equal(argument, copied) if isinstance(argument, torch.Tensor) else argument == copied


def test_clicks_are_python_ints_with_the_polarity_of_the_target() -> None:
    outputs, targets, _ = batch(6)
    pcs, ncs = ritm(outputs, targets, [], [])
    for b in range(6):
        assert len(pcs[0][b]) + len(ncs[0][b]) == 1
        for clicks, polarity in ((pcs, True), (ncs, False)):
            for row, col in clicks[0][b]:
                assert type(row) is int
                assert type(col) is int
                assert bool(targets[b, 0, row, col]) is polarity


def test_points_are_placed_one_after_another() -> None:
    outputs, targets, _ = batch(3)
    pcs, ncs = ritm(outputs, targets, [], [], 5)
    assert (len(pcs), len(ncs)) == (1, 1)
    step_pcs: list[Any] = []
    step_ncs: list[Any] = []
    for _ in range(5):
        step_pcs, step_ncs = ritm(outputs, targets, step_pcs, step_ncs)
    for b in range(3):
        assert pcs[0][b] == [click for k in step_pcs for click in k[b]]
        assert ncs[0][b] == [click for k in step_ncs for click in k[b]]


def test_points_end_with_the_errors() -> None:
    targets = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    targets[0, 0, 1, 1:3] = True
    assert ritm(torch.zeros(1, 1, 4, 4), targets, [], [], 5) == ([[[(1, 1), (1, 2)]]], [[[]]])


@pytest.mark.parametrize("shape", [(1, 1), (7, 9)])
def test_nothing_to_click(shape: tuple[int, int]) -> None:
    ones = torch.ones(1, 1, *shape, dtype=torch.bool)
    none = ([[[]]], [[[]]])
    assert ritm(ones.float(), ones, [], []) == none
    assert ritm(ones.float() * 0, ~ones, [], []) == none
    assert ritm(ones.float(), ~ones, [], [], ignore=ones) == none
    everywhere = [(r, c) for r in range(shape[0]) for c in range(shape[1])]
    pcs, ncs = ritm(ones.float(), ~ones, [[[]]], [[everywhere]])
    assert (pcs[-1], ncs[-1]) == ([[]], [[]])


def test_one_pixel() -> None:
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    assert ritm(zero, one, [], []) == ([[[(0, 0)]]], [[[]]])
    assert ritm(one, zero, [], []) == ([[[]]], [[[(0, 0)]]])


def test_no_elements() -> None:
    assert ritm(torch.zeros(0, 1, 5, 5), torch.zeros(0, 1, 5, 5), [], []) == ([[]], [[]])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float64])
def test_types_of_targets(dtype: torch.dtype) -> None:
    outputs, targets, _ = batch(2)
    assert ritm(outputs, targets.to(dtype), [], []) == ritm(outputs, targets, [], [])


def test_strided_tensors() -> None:
    outputs, targets, ignore = batch(2)

    def strided(t: torch.Tensor) -> torch.Tensor:
        return t.transpose(2, 3).contiguous().transpose(2, 3)

    assert ritm(strided(outputs), strided(targets), [], [], ignore=strided(ignore)) == ritm(
        outputs, targets, [], [], ignore=ignore
    )


def test_outputs_that_need_a_gradient() -> None:
    outputs, targets, _ = batch(1)
    assert ritm(outputs.clone().requires_grad_(), targets, [], []) == ritm(outputs, targets, [], [])


@pytest.mark.parametrize("threshold", [0.5, 0.49, 0.1, 1 / 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_threshold_is_strict_and_compared_as_torch_does(threshold: float, dtype: torch.dtype) -> None:
    at = torch.tensor(threshold, dtype=dtype)
    around = [torch.nextafter(at.float(), torch.tensor(v)).to(dtype) for v in (0.0, 1.0)]
    for value in (at, *around, torch.tensor(float("nan"), dtype=dtype)):
        outputs = torch.full((1, 1, 3, 3), value.item(), dtype=dtype)
        _, ncs = ritm(outputs, torch.zeros(1, 1, 3, 3), [], [], threshold=threshold)
        assert ncs == ([[[(1, 1)]]] if bool((outputs > threshold).all()) else [[[]]])


def test_unrounded_and_outlying_clicks() -> None:
    targets = torch.ones(1, 1, 5, 5)
    pcs, _ = ritm(targets * 0, targets, [[[(2.2, 1.8), (-1, -1), (99, 2)]]], [[[]]])
    assert pcs[-1] == [[(1, 1)]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": torch.zeros(2, 5, 5)}, "outputs must have shape"),
        ({"targets": torch.zeros(2, 1, 5, 6)}, "targets .* differ"),
        ({"ignore": torch.zeros(1, 1, 5, 5, dtype=torch.bool)}, "ignore .* differ"),
        ({"generators": [None]}, "1 generators were given for 2 elements"),
        ({"pcs": [[[], []]]}, "pcs holds 1 interactions, ncs 0"),
        ({"pcs": [[[]]], "ncs": [[[]]]}, "clicks of 1 elements, outputs of 2"),
    ],
)
def test_arguments_that_disagree(change: dict[str, Any], message: str) -> None:
    zeros = torch.zeros(2, 1, 5, 5)
    arguments: dict[str, Any] = {"outputs": zeros, "targets": zeros, "pcs": [], "ncs": []}
    with pytest.raises(ValueError, match=message):
        ritm(**{**arguments, **change})


def test_a_third_party_robot() -> None:
    seen: list[Any] = []

    @single_sample
    def anywhere(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Any, rng: Any, *, step: int = 1) -> Any:
        """Anywhere."""
        seen.append((prediction.copy(), ignore, list(clicks)))
        return by_polarity([(int(rng.integers(target.shape[0])) // step, int(rng.integers(target.shape[1])))], target)

    outputs, targets, _ = batch(3)

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(b) for b in range(3)]

    first = anywhere(outputs, targets, [], [], generators=generators())
    assert anywhere.__doc__ == "Anywhere."  # type: ignore[attr-defined]
    assert anywhere(outputs, targets, [], [], generators=generators()) == first
    assert np.array_equal(seen[1][0], outputs[1, 0].numpy() > 0.5)
    alone = anywhere(outputs[1:2], targets[1:2], [], [], generators=generators()[1:2])
    assert alone == ([[first[0][0][1]]], [[first[1][0][1]]])

    seen.clear()
    both = anywhere(outputs[:1], targets[:1], *alone, 2, generators=generators()[:1], step=2)  # type: ignore[call-arg]
    assert [len(clicks) for _, _, clicks in seen] == [1, 2]
    assert len(both[0][1][0]) + len(both[1][1][0]) == 2


def test_a_robot_cannot_contradict_the_target() -> None:
    @single_sample
    def liar(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Any, rng: Any) -> Any:
        return [(0, 0)], []

    with pytest.raises(
        ValueError, match=r"robot liar made a positive click at \(0, 0\), where the target is background"
    ):
        liar(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), [], [])


def test_loading() -> None:
    assert load_ritm() is ritm
    assert pickle.loads(pickle.dumps(ritm)) is ritm
    with pytest.raises(TypeError, match="the robot ritm takes no options, but was given radius"):
        load_ritm(radius=3)
