"""The batch form that `single_sample` makes of a rule: what holds for every robot, shown on `ritm`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from mask_cases import blobs
from numpy.typing import NDArray

from iiszoo.clicking.robots import center_largest, random_false, ritm
from iiszoo.clicking.single_sample import single_sample

Mask = NDArray[np.bool_]


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
        ({"pcs": [[[], []]]}, "pcs has 1 interactions, ncs 0"),
        ({"pcs": [[[]]], "ncs": [[[]]]}, "clicks of 1 elements, outputs has 2"),
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
        return [(rng.integers(target.shape[0]) // step, rng.integers(target.shape[1]))]

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


def test_the_polarity_is_the_targets() -> None:
    @single_sample
    def everywhere(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Any, rng: Any) -> Any:
        return list(np.ndindex(target.shape))[:6]

    targets = torch.tensor([[[[1.0, 0, 0], [0, 1, 1]]]])
    pcs, ncs = everywhere(torch.zeros(1, 1, 2, 3), targets, [], [])
    assert pcs == [[[(0, 0), (1, 1), (1, 2)]]]
    assert ncs == [[[(0, 1), (0, 2), (1, 0)]]]


def test_a_rule_may_return_numpys_pixels() -> None:
    @single_sample
    def top_left_error(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Any, rng: Any) -> Any:
        return np.argwhere(target != prediction)[:1]

    ones = torch.ones(1, 1, 2, 3)
    assert top_left_error(1 - ones, ones, [], [], 2) == ([[[(0, 0), (0, 0)]]], [[[]]])
    assert top_left_error(ones, ones, [], []) == ([[[]]], [[[]]])


@pytest.mark.parametrize("point", [(-1, 0), (0, 3), (2, 0)])
def test_a_click_outside_the_image_is_refused(point: tuple[int, int]) -> None:
    @single_sample
    def stray(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Any, rng: Any) -> Any:
        return [point]

    with pytest.raises(ValueError, match=r"robot stray clicked at \(.*\), outside an image of 2 x 3"):
        stray(torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 2, 3), [], [])


def test_without_generators_the_choices_follow_torchs_seed() -> None:
    outputs, targets, _ = batch(4)
    clicks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        clicks.append(random_false(outputs, targets, [], []))
    assert clicks[0] == clicks[1] != clicks[2]
    torch.manual_seed(0)
    assert random_false(outputs, targets, [], [], generators=[None] * 4) == clicks[0]


def test_a_rule_without_chance_leaves_torchs_generator_alone() -> None:
    outputs, targets, _ = batch(2)
    state = torch.get_rng_state()
    for robot in (ritm, center_largest):
        robot(outputs, targets, [], [])
    assert torch.equal(torch.get_rng_state(), state)


def test_ritm_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(ritm)) is ritm
