"""Progressive merge: on masks, as FocalClick publishes it and mended; and round any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import ndimage

from iiszoo import as_model, load_model
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.executors.job import Job
from iiszoo.engine.robots import RobotReference
from iiszoo.errors import BadOption, ModelError
from iiszoo.model_reference import resolve
from iiszoo.models import ProgressiveMerge, progressive_merge
from iiszoo.protocol import Model, split, stack

Mask = NDArray[np.bool_]
EIGHT = np.ones((3, 3))


def mask(*rows: str) -> Mask:
    return np.array([[c == "#" for c in row] for row in rows])


# the rule


def test_only_what_is_connected_to_the_click_is_taken_over() -> None:
    previous = mask("##......", "##......", "##......")
    prediction = mask("......##", "####..##", "##......")
    grown = mask("##......", "####....", "##......")
    assert np.array_equal(progressive_merge(prediction, previous, (1, 3)), grown)


def test_corners_connect() -> None:
    previous, prediction = mask("....", "....", "...."), mask("#..#", ".#..", "....")
    assert np.array_equal(progressive_merge(prediction, previous, (0, 0)), mask("#...", ".#..", "...."))


def test_a_click_on_the_object_removes_and_adds_nothing() -> None:
    """Of a region in which the prediction both adds and removes, a click takes one half."""
    previous, prediction = mask("###...", "......"), mask("...###", "......")
    assert np.array_equal(progressive_merge(prediction, previous, (0, 1)), mask("......", "......"))
    assert np.array_equal(progressive_merge(prediction, previous, (0, 4)), mask("######", "......"))
    assert np.array_equal(progressive_merge(prediction, previous, (0, 1), (0, 4)), prediction)


def test_several_clicks_each_bring_their_region_in_any_order() -> None:
    previous, prediction = mask("##..........", "##.........."), mask("....##.##.##", "....##.##.##")
    both = mask("....##.##...", "....##.##...")
    assert np.array_equal(progressive_merge(prediction, previous, (0, 0), (0, 4), (1, 8)), both)
    assert np.array_equal(progressive_merge(prediction, previous, (1, 8), (0, 4), (0, 0)), both)
    assert np.array_equal(progressive_merge(prediction, previous), previous)


def test_the_published_fault_a_click_without_effect_corrupts_the_mask() -> None:
    """alibaba/ClickSEG, GitHub issue 2: the click falls where both masks are background, or both object."""
    previous = mask("##....", "##....", "......")
    prediction = mask("##....", "##..##", "......")
    assert np.array_equal(progressive_merge(prediction, previous, (2, 0)), mask("######", "####..", "######"))
    assert np.array_equal(progressive_merge(prediction, previous, (0, 0)), mask("......", "......", "......"))
    for click in ((2, 0), (0, 0)):
        assert np.array_equal(progressive_merge(prediction, previous, click, fixed=True), previous)


def test_a_negative_click_on_a_fresh_image_makes_everything_object_unless_it_is_mended() -> None:
    nothing = np.zeros((4, 5), bool)
    assert progressive_merge(nothing, nothing, (1, 1)).all()
    assert not progressive_merge(nothing, nothing, (1, 1), fixed=True).any()


@pytest.mark.parametrize("click", [(-1, 0), (0, 6), (3, 0)])
def test_a_click_outside_is_refused(click: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"lies outside masks of shape \(3, 6\)"):
        progressive_merge(np.ones((3, 6), bool), np.zeros((3, 6), bool), click)


@pytest.mark.parametrize("previous", [np.zeros((3, 5), bool), np.zeros((3, 6)), np.zeros((1, 3, 6), bool)])
def test_masks_of_another_form_are_refused(previous: Any) -> None:
    with pytest.raises(ValueError, match="must be bool masks"):
        progressive_merge(np.ones((3, 6), bool), previous, (0, 0))


def upstream(prediction: Mask, previous: Mask, row: int, col: int) -> Mask:
    """The published rule, written down again on scipy's labels."""
    labels, _ = ndimage.label(prediction ^ previous, EIGHT)
    region = labels == labels[row, col]
    return previous & ~region if previous[row, col] else previous | region


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Mask, Mask, tuple[int, int]]:
    shape = draw(SHAPES)
    prediction, previous = (draw(arrays.arrays(bool, shape)) for _ in range(2))
    return prediction, previous, (draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1)))


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_the_published_rule_in_general(scene: tuple[Mask, Mask, tuple[int, int]]) -> None:
    prediction, previous, click = scene
    inputs = prediction.copy(), previous.copy()
    assert np.array_equal(progressive_merge(prediction, previous, click), upstream(prediction, previous, *click))
    assert np.array_equal(prediction, inputs[0])
    assert np.array_equal(previous, inputs[1])


@settings(max_examples=300, deadline=None)
@given(scenes(), st.booleans())
def test_what_a_click_may_do(scene: tuple[Mask, Mask, tuple[int, int]], fixed: bool) -> None:
    prediction, previous, click = scene
    assume(fixed or prediction[click] != previous[click])  # all others are the published fault
    merged = progressive_merge(prediction, previous, click, fixed=fixed)
    labels, _ = ndimage.label(prediction ^ previous, EIGHT)
    touched = (labels == labels[click]) & (prediction[click] != previous[click])
    assert np.array_equal(merged[~touched], previous[~touched])
    assert merged[click] == prediction[click]
    if previous[click]:
        assert not (merged & ~previous).any()
    else:
        assert not (previous & ~merged).any()
    assert ((merged == prediction) | (merged == previous)).all()


# round a model


class Painter:
    """Answers what it is told to, and counts its turns in z; its answers do not depend on z."""

    def __init__(self, answers: list[Any], ragged: bool = True) -> None:
        self.answers, self.ragged = answers, ragged

    def init_z(self, x: Any) -> dict[str, Any]:
        return {"turn": [0] * len(x)}

    def __call__(self, x: Any, z: dict[str, Any], pcs: Any, ncs: Any) -> Any:
        y = self.answers[z["turn"][0]]
        y = [each.clone() for each in y] if isinstance(x, list) else torch.stack([each.clone() for each in y])
        return y, {"turn": [turn + 1 for turn in z["turn"]], "prev_output": y}


def wrapped(answers: list[Any], threshold: float = 0.5, fixed: bool = False) -> Model:
    return as_model(ProgressiveMerge(as_model(Painter(answers)), threshold, fixed))


def images(*sizes: tuple[int, int]) -> Any:
    x = [torch.zeros(3, *size) for size in sizes]
    return torch.stack(x) if len(set(sizes)) == 1 else x


def probabilities(seed: int, *shape: int) -> torch.Tensor:
    """In steps of a tenth, so that many lie on a threshold exactly."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 11, shape).astype(np.float32) / np.float32(10))


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.49])
@pytest.mark.parametrize("seed", range(12))
def test_above_the_threshold_the_output_is_exactly_the_merged_mask(seed: int, threshold: float, fixed: bool) -> None:
    y, before = probabilities(seed, 1, 9, 11), probabilities(seed + 100, 1, 9, 11)
    rng = np.random.default_rng(seed)
    click = int(rng.integers(9)), int(rng.integers(11))
    x = images((9, 11))
    model = wrapped([[y]], threshold, fixed)
    z = {**model.init_z(x), "prev_output": before[None]}
    out, after = model(x, z, [[[click]]], [[[]]])
    expected = progressive_merge((y > threshold)[0].numpy(), (before > threshold)[0].numpy(), click, fixed=fixed)
    assert np.array_equal((out > threshold)[0, 0].numpy(), expected)
    assert out.dtype == torch.float32
    assert torch.equal(after["prev_output"], out)
    agrees = torch.from_numpy(expected) == (y > threshold)
    assert torch.equal(out[0][agrees], y[agrees])


def test_a_session_that_started_from_nothing_is_the_models_own() -> None:
    x = images((4, 6))
    answers = [[probabilities(k, 1, 4, 6)] for k in range(3)]
    model, plain = wrapped(answers), as_model(Painter(answers))
    z, own = model.init_z(x), plain.init_z(x)
    for k in range(3):
        y, z = model(x, z, [[[(0, k)]]], [[[]]])
        expected, own = plain(x, own, [[[(0, k)]]], [[[]]])
        assert torch.equal(y, expected)
        assert int(z["merge"][0]) == 0


def test_a_session_that_started_from_a_mask_is_merged_to_its_end() -> None:
    """Also when its mask has become empty meanwhile."""
    start = torch.from_numpy(mask("##..", "....")).float()[None, None]
    answers = [[torch.zeros(1, 2, 4)], [torch.from_numpy(mask("...#", ".#..")).float()[None]]]
    model, x = wrapped(answers), images((2, 4))
    y, z = model(x, {**model.init_z(x), "prev_output": start}, [[[]]], [[[(0, 0)]]])
    assert not y.any()
    y, z = model(x, z, [[[]], [[(0, 3)]]], [[[(0, 0)]], [[]]])
    assert np.array_equal(y[0, 0].numpy() > 0.5, mask("...#", "...."))


def test_without_a_new_click_an_element_keeps_its_output() -> None:
    start = torch.full((1, 1, 3, 3), 0.75)
    model, x = wrapped([[torch.zeros(1, 3, 3)]]), images((3, 3))
    y, _ = model(x, {**model.init_z(x), "prev_output": start}, [[[]]], [[[]]])
    assert torch.equal(y, start)


@pytest.mark.parametrize("sizes", [[(5, 7)] * 4, [(5, 7), (6, 4), (5, 7), (3, 9)]])
def test_elements_of_a_batch_do_not_see_each_other(sizes: list[tuple[int, int]]) -> None:
    """Half of them started from a mask; joined, parted and joined again on the way."""
    answers = [[probabilities(10 * k + b, 1, *size) for b, size in enumerate(sizes)] for k in range(3)]
    starts = [probabilities(90 + b, 1, *size) * (b % 2) for b, size in enumerate(sizes)]
    clicks = [[[(k, b)] for b in range(4)] for k in range(3)]

    def run(chosen: list[int]) -> list[torch.Tensor]:
        x = images(*(sizes[b] for b in chosen))
        model = wrapped([[turn[b] for b in chosen] for turn in answers])
        before = [starts[b] for b in chosen]
        z = {**model.init_z(x), "prev_output": torch.stack(before) if isinstance(x, torch.Tensor) else before}
        for k in range(3):
            pcs = [[turn[b] for b in chosen] for turn in clicks[: k + 1]]
            y, z = model(x, stack(split(z)), pcs, [[[] for _ in chosen]] * (k + 1))
            assert isinstance(y, list) == isinstance(x, list)
        return list(y)

    for b, together in enumerate(run([0, 1, 2, 3])):
        assert torch.equal(together, run([b])[0])


def test_arguments_stay_as_they_are() -> None:
    model, x = wrapped([[probabilities(0, 1, 4, 4)]]), images((4, 4))
    z = {**model.init_z(x), "prev_output": probabilities(1, 1, 1, 4, 4)}
    before = {key: value.clone() if isinstance(value, torch.Tensor) else list(value) for key, value in z.items()}
    pcs, ncs = [[[(0, 0)]]], [[[]]]
    first, _ = model(x, z, pcs, ncs)
    assert (pcs, ncs) == ([[[(0, 0)]]], [[[]]])
    assert z.keys() == before.keys()
    assert all(np.array_equal(z[key], before[key]) for key in z)
    assert torch.equal(first, model(x, z, pcs, ncs)[0])


def test_a_faulty_answer_is_told_by_the_models_name() -> None:
    model, x = wrapped([[torch.zeros(1, 4, 3)]]), images((4, 4))
    with pytest.raises(ModelError, match=r"Painter must answer with shape \(1, 4, 4\)"):
        model(x, model.init_z(x), [[[(0, 0)]]], [[[]]])


# by name


def painting(x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
    return z["prev_output"]


class MergingByItself:
    merges = True

    def __call__(self, x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return z["prev_output"]


def test_any_model_merges_when_its_name_says_so() -> None:
    model = load_model("classic?progressive_merge=fixed")
    assert model.name == "classic/geocut?progressive_merge=fixed"
    assert isinstance(model.function, ProgressiveMerge)
    assert (model.function.fixed, model.function.threshold, model.ragged) == (True, 0.5, True)
    merged = load_model(painting, progressive_merge="published")
    assert merged.name == f"{__name__}:painting?progressive_merge=published"
    assert not isinstance(load_model("classic").function, ProgressiveMerge)


def test_a_run_tells_its_threshold() -> None:
    rules = ResolvedProtocol(threshold=0.3)
    job = Job(
        resolve("classic?progressive_merge=published"), "cpu", "demo", None, rules, 1, False, RobotReference("ritm")
    )
    assert job.load_model().function.threshold == 0.3  # type: ignore[attr-defined]
    model = load_model("classic?progressive_merge=published")
    told = model.at_threshold(0.3)
    assert told.function.threshold == 0.3  # type: ignore[attr-defined]
    assert model.function.threshold == 0.5  # type: ignore[attr-defined]
    assert (told.name, told.options) == (model.name, model.options)
    plain = load_model("classic")
    assert plain.at_threshold(0.3) is plain


def test_identities_differ_and_hold_for_every_way_to_ask() -> None:
    named = resolve("classic?progressive_merge=published").identity()
    assert named["id"] == "classic/geocut?progressive_merge=published"
    assert named == resolve("classic", options={"progressive_merge": "published"}).identity()
    assert named == resolve(load_model("classic", progressive_merge="published")).identity()
    assert named == resolve(load_model("classic"), options={"progressive_merge": "published"}).identity()
    assert named["id"] != resolve("classic").identity()["id"]
    function = resolve(painting, options={"progressive_merge": "fixed"}).identity()
    assert function["id"] == f"{__name__}:painting?progressive_merge=fixed"
    assert function == resolve(load_model(painting, progressive_merge="fixed")).identity()


@pytest.mark.parametrize("make", [MergingByItself, lambda: load_model("classic?progressive_merge=fixed")])
def test_a_model_that_merges_by_itself_is_not_merged_again(make: Callable[[], Any]) -> None:
    with pytest.raises(BadOption, match=r"merges progressively by itself; leave progressive_merge .* out"):
        load_model(make(), progressive_merge="published")


def test_a_loader_with_the_option_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def loader(card: Any, *, device: str, checkpoint: Any, progressive_merge: str = "published") -> Any:
        made = MergingByItself()
        made.rule = progressive_merge  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr("iiszoo.model_reference._card.load_object", lambda path: loader)
    model = load_model("classic?progressive_merge=fixed")
    assert model.function.rule == "fixed"  # type: ignore[attr-defined]
    assert model.name == "classic/geocut?progressive_merge=fixed"


@pytest.mark.parametrize("model", ["classic?progressive_merge=true", "classic?progressive_merge=other"])
def test_another_rule_is_refused(model: str) -> None:
    with pytest.raises(BadOption, match="progressive_merge must be 'published' or 'fixed', not "):
        load_model(model)


def test_a_function_takes_no_other_option() -> None:
    with pytest.raises(BadOption, match="takes no checkpoint and no option but progressive_merge"):
        load_model(painting, side=3)


def test_naming_the_package_imports_nothing_heavy(iiszoo: Callable[..., Any]) -> None:
    program = "import sys, iiszoo.models; print([name for name in ('torch', 'numpy', 'cv2') if name in sys.modules])"
    assert iiszoo(program=program).stdout.strip() == "[]"
