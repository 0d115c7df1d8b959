"""The standard format: states join and part by batch element, clicks keep their order, faults are named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iiszoo import protocol
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption, ModelError
from iiszoo.protocol import (
    as_model,
    check_form,
    check_output,
    clicks_by_element,
    clicks_of,
    split,
    stack,
    stack_clicks,
    together_on_cpu,
)

quick = settings(max_examples=60, deadline=None)
click = st.tuples(st.integers(0, 99), st.integers(0, 99))


def same(a: Any, b: Any) -> bool:
    """Equal in kind, type, shape and values."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def dense(b: int, seed: int) -> Tensor:
    """An embedding: one tensor for the whole batch."""
    return torch.randn(b, 2, 1 + seed % 3, generator=torch.Generator().manual_seed(seed))


def whole_numbers(b: int, seed: int) -> Tensor:
    return torch.arange(b) + seed


def ragged(b: int, seed: int) -> Any:
    """Outputs of images that differ in size; a batch of one is a tensor."""
    if b == 1:
        return torch.full((1, 1, 2, 3), float(seed))
    return [torch.full((1, 2, 3 + k), float(seed)) for k in range(b)]


def nested(b: int, seed: int) -> list[Any]:
    """Lists for each element: of tensors, of numbers, of lists."""
    return [[torch.zeros(k), [k, [seed]], (k, "clicks")] for k in range(b)]


def objects(b: int, seed: int) -> list[Any]:
    """Entries that are no tensors."""
    return [(None, f"image {seed}", frozenset({k}))[(seed + k) % 3] for k in range(b)]


def mixed(b: int, seed: int) -> list[Any]:
    """Tensors for some elements only."""
    return [None, *(torch.ones(2) for _ in range(b - 1))]


ENTRIES = (dense, whole_numbers, ragged, nested, objects, mixed)


@st.composite
def states(draw: st.DrawFn, batch: st.SearchStrategy[int]) -> dict[str, Any]:
    b = draw(batch)
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    return {name: draw(st.sampled_from(ENTRIES))(b, draw(st.integers(0, 9))) for name in names}


@quick
@given(states(st.integers(1, 5)))
def test_stack_is_the_inverse_of_split(z: dict[str, Any]) -> None:
    parts = split(z)
    assert len(parts) == len(next(iter(z.values())))
    assert all(len(value) == 1 for part in parts for value in part.values())
    assert same(stack(parts), z)


@quick
@given(st.data())
def test_split_is_the_inverse_of_stack(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=4))
    seeds = st.lists(st.integers(0, 9), min_size=len(kinds), max_size=len(kinds))
    zs = [
        {f"entry {k}": kind(1, seed) for k, (kind, seed) in enumerate(zip(kinds, data.draw(seeds), strict=True))}
        for _ in range(data.draw(st.integers(1, 5)))
    ]
    assert same(split(stack(zs)), zs)


@quick
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 9))
def test_batches_of_any_size_join_in_order(sizes: list[int], seed: int) -> None:
    zs = [{"dense": dense(b, seed), "ragged": ragged(b, seed + k)} for k, b in enumerate(sizes)]
    joined = stack(zs)
    assert same(split(joined), [part for z in zs for part in split(z)])
    assert isinstance(joined["dense"], Tensor)
    assert len(joined["ragged"]) == sum(sizes)


def test_what_a_model_sees_does_not_depend_on_how_its_batch_came_together() -> None:
    a, b, c = ({"v": torch.full((1, 2), float(k))} for k in range(3))
    assert same(stack([stack([a, b]), c]), stack([a, stack([b, c])]))
    assert isinstance(stack([{"v": [torch.zeros(2)]}, {"v": [torch.ones(2)]}])["v"], Tensor)
    floats_and_integers = stack([{"v": torch.zeros(1, 2)}, {"v": torch.zeros(1, 2, dtype=torch.int64)}])["v"]
    assert [element.dtype for element in floats_and_integers] == [torch.float32, torch.int64]


def test_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"different entries.*'a', 'b'"):
        stack([{"a": [1]}, {"b": [1]}])
    with pytest.raises(ModelError, match=r"indexable by batch element.*'b' is a list of 3"):
        split({"a": torch.zeros(2), "b": [1, 2, 3]})


@pytest.mark.parametrize("value", [3, None, torch.tensor(0.5)])
def test_an_entry_without_a_batch_axis_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ModelError, match=r"indexable by batch element.*n_clicks"):
        split({"prev_output": torch.zeros(1, 1, 2, 2), "n_clicks": value})


@st.composite
def histories(draw: st.DrawFn) -> protocol.Clicks:
    """Clicks of one batch: some interactions, some elements, some clicks each."""
    width, depth = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    element = st.lists(click, max_size=3)
    return draw(
        st.lists(st.lists(element, min_size=width, max_size=width), min_size=depth, max_size=depth),
    )


@quick
@given(st.lists(histories(), min_size=1, max_size=4))
def test_joined_clicks_keep_every_click_and_align_the_newest(batches: list[protocol.Clicks]) -> None:
    joined = stack_clicks(batches)
    width = sum(len(clicks[0]) for clicks in batches)
    assert len(joined) == max(map(len, batches))
    assert all(len(interaction) == width for interaction in joined)
    for back in range(1, len(joined) + 1):
        expected = [
            element
            for clicks in batches
            for element in (clicks[-back] if back <= len(clicks) else [[] for _ in clicks[0]])
        ]
        assert joined[-back] == expected
    elements = [clicks_of(clicks, b) for clicks in batches for b in range(len(clicks[0]))]
    assert [clicks_of(joined, b) for b in range(width)] == clicks_by_element(joined, width) == elements


def test_a_session_that_has_not_begun_joins_one_that_has() -> None:
    assert stack_clicks([[], [[[(1, 2)]], [[(3, 4)]]]]) == [[[], [(1, 2)]], [[], [(3, 4)]]]
    assert stack_clicks([[], []]) == []


def test_joining_clicks_leaves_the_histories_alone() -> None:
    first, second = [[[(1, 2)]]], [[[(3, 4)]], [[(5, 6)]]]
    stack_clicks([first, second])[0][0].append((9, 9))
    assert first == [[[(1, 2)]]]
    assert second == [[[(3, 4)]], [[(5, 6)]]]


def test_clicks_of_an_element_come_oldest_first() -> None:
    clicks = [[[(0, 0), (1, 1)], []], [[], [(2, 2)]], [[(3, 3)], []]]
    assert clicks_of(clicks, 0) == [(0, 0), (1, 1), (3, 3)]
    assert clicks_of(clicks, 1) == [(2, 2)]
    assert clicks_of([], 0) == []


X = torch.zeros(2, 3, 4, 5)
BEGUN = {"prev_output": torch.zeros(2, 1, 4, 5)}


def half(x: Tensor, z: Any, pcs: Any, ncs: Any) -> Tensor:
    return torch.full_like(x[:, :1], 0.5)


def test_a_function_that_returns_y_alone_gets_it_stored() -> None:
    model = as_model(half)
    z = model.init_z(X)
    assert same(z, {"prev_output": torch.zeros(2, 1, 4, 5)})
    z["own"] = [1, 2]
    y, after = model(X, z, [], [])
    assert same(after, {"prev_output": y, "own": [1, 2]})
    assert not z["prev_output"].any(), "the state that was given is not changed"
    assert (model.name, model.card, model.threshold, model.device) == ("half", None, 0.5, "cpu")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((X, {}, [], []), r"z is empty: begin with z = model\.init_z\(x\)"),
        (
            (X[0], BEGUN, [], []),
            r"x must be images .*, not \(3, 4, 5\); one image \(3, H, W\) is x\[None\]",
        ),
        (
            (X, BEGUN, [[[(1, 1)]]], [[[]]]),
            r"pcs must be nested lists .* one click .* is \[\[\[\(row, col\)\]\]\]",
        ),
        ((X, BEGUN, [(1, 1)], []), "pcs must be nested lists"),
        ((X, BEGUN, (1, 1), []), "pcs must be nested lists"),
        ((X, BEGUN, [[(1, 1), (2, 2)]], []), "pcs must be nested lists"),
        ((X, BEGUN, [], [[[1, 1], []]]), r"ncs contains 1, which is not a click \(row, col\)"),
        ((X, BEGUN, [[[(4, 0)], []]], []), r"pcs: click \(4, 0\) lies outside the image of 4 rows and 5 columns"),
        ((X, BEGUN, [], [[[], [(0, -1)]]]), r"ncs: click \(0, -1\) lies outside"),
    ],
)
def test_arguments_of_another_form_are_refused_in_one_sentence(arguments: Any, sentence: str) -> None:
    with pytest.raises(BadOption, match=sentence):
        as_model(half)(*arguments)


def test_a_function_that_returns_y_and_z_keeps_its_own_z() -> None:
    own = {"prev_output": torch.ones(2, 1, 4, 5), "memory": [None, None]}
    y, z = as_model(lambda x, z, pcs, ncs: (half(x, z, pcs, ncs), own))(X, BEGUN, [], [])
    assert z is own
    assert float(y.max()) == 0.5


@pytest.mark.parametrize(
    "answer", [(), (1,), (half, {}, {}), (half, None), (half, [half])], ids=["0", "1", "3", "None", "list"]
)
def test_any_other_tuple_is_refused(answer: Any) -> None:
    with pytest.raises(ModelError, match=r"model odd must return y or \(y, z\) with z a dict"):
        as_model(lambda x, z, pcs, ncs: answer, name="odd")(X, BEGUN, [], [])


def test_init_z_of_the_model_is_kept_and_completed() -> None:
    class Encoder:
        def init_z(self, x: Tensor) -> dict[str, Any]:
            return {"embedding": x.mean((2, 3))}

        __call__ = staticmethod(half)

    z = as_model(Encoder()).init_z(X)
    assert same(z, {"embedding": torch.zeros(2, 3), "prev_output": torch.zeros(2, 1, 4, 5)})
    assert as_model(Encoder()).name == "Encoder"

    class Corrector(Encoder):
        def init_z(self, x: Tensor) -> dict[str, Any]:
            return {"prev_output": torch.ones(2, 1, 4, 5)}

    assert as_model(Corrector()).init_z(X)["prev_output"].all()


def test_the_empty_output_of_a_list_is_a_list() -> None:
    z = as_model(half).init_z([torch.ones(3, 4, 5), torch.ones(3, 6, 7)])
    assert same(z, {"prev_output": [torch.zeros(1, 4, 5), torch.zeros(1, 6, 7)]})


def test_ragged_and_threshold_come_from_the_card_or_the_function() -> None:
    def anywhere(x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
        return x

    assert as_model(anywhere).ragged is False
    anywhere.ragged = True  # type: ignore[attr-defined]
    assert as_model(anywhere).ragged is True
    card = ModelCard(id="toy/a", loader="toy:load", summary="", licence="MIT", threshold=0.49)
    carded = as_model(anywhere, name=card.id, card=card)
    assert (carded.ragged, carded.threshold) == (False, 0.49)
    assert as_model(carded) is carded


def test_good_outputs_pass() -> None:
    check_output(torch.rand(2, 1, 4, 5), X, "good")
    check_output(torch.tensor([0.0, 1.0]).repeat(10, 2).reshape(2, 1, 4, 5), X, "good")
    sizes = ((4, 5), (6, 7))
    check_output([torch.rand(1, *size) for size in sizes], [torch.rand(3, *size) for size in sizes], "good")


def changed(value: float) -> Tensor:
    y = torch.full((2, 1, 4, 5), 0.5)
    y[1, 0, 3, 4] = value
    return y


LIST_X = [torch.zeros(3, 4, 5), torch.zeros(3, 4, 5)]
FAULTS: dict[str, tuple[Any, Any, str]] = {
    "half the size": (torch.zeros(2, 1, 2, 2), X, r"shape \(1, 4, 5\), not \(1, 2, 2\)"),
    "rows and columns swapped": (torch.zeros(2, 1, 5, 4), X, r"shape \(1, 4, 5\), not \(1, 5, 4\)"),
    "no channel axis": (torch.zeros(2, 4, 5), X, r"shape \(1, 4, 5\), not \(4, 5\)"),
    "two channels": (torch.zeros(2, 2, 4, 5), X, r"shape \(1, 4, 5\), not \(2, 4, 5\)"),
    "one output for two": (torch.zeros(1, 1, 4, 5), X, r"2 outputs in y, not \(1, 1, 4, 5\)"),
    "a number": (torch.tensor(0.5), X, "2 outputs in y"),
    "None": (None, X, "2 outputs in y, not None"),
    "numpy": (torch.zeros(2, 1, 4, 5).numpy(), X, r"2 outputs in y, not a numpy array \(2, 1, 4, 5\)"),
    "a list for a tensor": (list(torch.zeros(2, 1, 4, 5)), X, "must return a tensor y"),
    "a tensor for a list": (torch.zeros(2, 1, 4, 5), LIST_X, "must return a list y"),
    "a short list": ([torch.zeros(1, 4, 5)], LIST_X, "2 outputs in y"),
    "lists in the list": ([[0.5], [0.5]], LIST_X, r"shape \(1, 4, 5\), not a list"),
    "double precision": (torch.zeros(2, 1, 4, 5, dtype=torch.float64), X, "float32, not torch.float64"),
    "a bool mask": (torch.zeros(2, 1, 4, 5, dtype=torch.bool), X, "float32, not torch.bool"),
    "NaN": (changed(float("nan")), X, "not with NaN"),
    "infinity": (changed(float("inf")), X, r"values in \[0.5, inf\]"),
    "logits": (changed(-3.5), X, r"values in \[-3.5, 0.5\]"),
    "percent": (changed(50), X, r"values in \[0.5, 50\]"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_wrong_output_names_the_model_and_the_fault(case: str) -> None:
    y, x, message = FAULTS[case]
    with pytest.raises(ModelError, match=message) as error:
        check_output(y, x, "toy/odd")
    assert "model toy/odd" in str(error.value)


def test_one_element_is_checked_by_itself() -> None:
    check_form(torch.zeros(1, 4, 5), (4, 5), "toy/odd")
    for y in (torch.zeros(1, 5, 4), torch.zeros(1, 4, 5).half()):
        with pytest.raises(ModelError, match="model toy/odd must answer"):
            check_form(y, (4, 5), "toy/odd")


def test_copied_together_they_are_what_they_were() -> None:
    values = [torch.rand(1, 4, 5), torch.rand(3, 2), torch.rand(0)]
    for found, value in zip(together_on_cpu(values), values, strict=True):
        assert torch.equal(found, value)
