"""COCO's segmentations: each form is drawn as pycocotools draws it or refused in words; none crashes the process."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as rle

from iiszoo.data import outlines
from iiszoo.data.outlines import at_fifths, canonical, clipped, counts_in, run_lengths, united, whole_number

Mask = NDArray[np.bool_]
SIZE = (24, 32)
FLAT = [4, 3, 20, 3, 20, 15, 4, 15]
COUNTS = [100, 20, 4, 20, 624]
N = SIZE[0] * SIZE[1]


def drawn(segmentation: Any, size: tuple[int, int] = SIZE) -> Mask:
    mask: Mask = rle.decode(run_lengths(segmentation, size)) > 0
    return mask


def by_pycocotools(polygons: list[list[float]], size: tuple[int, int] = SIZE) -> Mask:
    mask: Mask = rle.decode(rle.merge(rle.frPyObjects(polygons, *size))) > 0
    return mask


def of_counts(counts: list[int]) -> Mask:
    values = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
    return values.reshape(SIZE, order="F")


def text(counts: list[int]) -> str:
    compressed: bytes = rle.frPyObjects({"size": list(SIZE), "counts": counts}, *SIZE)["counts"]
    return compressed.decode()


PAIRS = [FLAT[k : k + 2] for k in range(0, len(FLAT), 2)]
POLYGONS: dict[str, Any] = {
    "list of polygons": [FLAT],
    "one polygon alone": FLAT,
    "list of polygons of pairs": [PAIRS],
    "pairs alone": PAIRS,
    "floats": [[float(value) for value in FLAT]],
    "text": [[str(value) for value in FLAT]],
    "text with a fraction, alone": [f"{value}.0" for value in FLAT],
    "pairs of text": [[[str(x), str(y)] for x, y in PAIRS]],
    "closed": [[*FLAT, *FLAT[:2]]],
    "beside a polygon without points": [[], FLAT],
    "beside a line": [[1, 1, 30, 20], FLAT],
    "twice": [FLAT, FLAT],
}
RUNS: dict[str, Any] = {
    "counts": {"size": list(SIZE), "counts": COUNTS},
    "counts as whole floats": {"size": [24.0, 32.0], "counts": [float(count) for count in COUNTS]},
    "counts as text": {"size": ["24", "32"], "counts": [str(count) for count in COUNTS]},
    "compressed": {"size": list(SIZE), "counts": text(COUNTS)},
    "compressed bytes": {"size": list(SIZE), "counts": text(COUNTS).encode()},
    "in a list": [{"size": list(SIZE), "counts": COUNTS}],
    "compressed in a list": [{"size": list(SIZE), "counts": text(COUNTS)}],
    "parts in a list": [
        {"size": list(SIZE), "counts": [100, 20, 648]},
        {"size": list(SIZE), "counts": text([124, 20, 624])},
    ],
    "with runs of length 0": {"size": list(SIZE), "counts": [100, 10, 0, 10, 4, 20, 624, 0, 0]},
    "more keys": {"size": list(SIZE), "counts": COUNTS, "format": "rle"},
}


@pytest.mark.parametrize("form", POLYGONS)
def test_polygons_in_each_form(form: str) -> None:
    assert np.array_equal(drawn(POLYGONS[form]), by_pycocotools([FLAT]))


@pytest.mark.parametrize("form", RUNS)
def test_run_lengths_in_each_form(form: str) -> None:
    assert np.array_equal(drawn(RUNS[form]), of_counts(COUNTS))
    assert run_lengths(RUNS[form], SIZE) == run_lengths(RUNS["counts"], SIZE), "equal masks have equal run lengths"


def test_polygons_and_run_lengths_together_are_united() -> None:
    expected = by_pycocotools([FLAT]) | of_counts(COUNTS)
    for segmentation in ([FLAT, RUNS["counts"]], [RUNS["compressed"], FLAT]):
        assert np.array_equal(drawn(segmentation), expected)


@pytest.mark.parametrize(
    "segmentation", [None, [], [[]], [[], []], [[3, 4]], [[1, 1, 5, 5]], [[[1, 1], [5, 5]]]], ids=str
)
def test_what_has_no_area_is_empty(segmentation: Any) -> None:
    assert not drawn(segmentation).any()


def runs(counts: Any, size: Any = None) -> dict[str, Any]:
    return {"size": list(SIZE) if size is None else size, "counts": counts}


def nested(depth: int) -> Any:
    value: Any = FLAT
    for _ in range(depth):
        value = [value]
    return value


REFUSED: dict[str, tuple[Any, str]] = {
    "odd": ([[*FLAT, 9]], "9 numbers, an odd number"),
    "odd alone": ([*FLAT, 9], "9 numbers, an odd number"),
    "one of several is odd": ([FLAT, [1, 2, 3]], "3 numbers, an odd number"),
    "text": ("polygon", "it is 'polygon'"),
    "no text": ("", "it is ''"),
    "a number": (7, "it is 7"),
    "true": (True, "it is True"),
    "an empty object": ({}, "without size and counts"),
    "points with names": ([[{"x": 1, "y": 2}] * 3], "odd number"),
    "points with names, even": ([[{"x": 1, "y": 2}] * 4], "an object instead of a number"),
    "words": ([["a", "b", "c", "d", "e", "f"]], "'a' instead of a number"),
    "null": ([[1, 2, 3, 4, 5, None]], "None instead of a number"),
    "null for a polygon": ([FLAT, None], "one of its polygons is None"),
    "truth values": ([[True, False, True, True, False, True]], "True instead of a number"),
    "NaN": ([[0, 0, math.nan, 0, 5, 5]], "not finite"),
    "infinite": ([[0, 0, math.inf, 0, 5, 5]], "not finite"),
    "NaN as text": ([["0", "0", "nan", "0", "5", "5"]], "not finite"),
    "far outside": ([[0, 0, 1e30, 0, 5, 5]], "far outside"),
    "an integer that no float holds": ([[0, 0, 10**400, 0, 5, 5]], "not finite"),
    "triples": ([[[1, 2, 3]] * 4], "not all pairs"),
    "pairs and numbers": ([[[1, 2], 3, 4, 5, 6]], "not all pairs"),
    "too deep": (nested(3), "not all pairs"),
    "much too deep": (nested(500), "not all pairs"),
    "polygon or counts": ([100, 20, 4, 20, 620, 4], "could be a polygon or the counts"),
    "another size": (runs(COUNTS, [32, 24]), "its size is 32x24"),
    "no size": ({"counts": COUNTS}, "without size and counts"),
    "no counts": ({"size": list(SIZE)}, "without size and counts"),
    "size of text": (runs(COUNTS, "24x32"), "its size is '24x32'"),
    "size of three": (runs(COUNTS, [24, 32, 1]), "its size is a list of 3"),
    "size of truth": (runs(COUNTS, [True, 32]), "its size is Truex32"),
    "counts null": (runs(None), "its counts are None"),
    "counts an object": (runs({}), "its counts are an object"),
    "counts in words": (runs(["a", "b"]), "its counts contain 'a'"),
    "counts with fractions": (runs([100.5, 667.5]), "its counts contain 100.5"),
    "counts NaN": (runs([math.nan, 768]), "its counts contain nan"),
    "counts in lists": (runs([[100, 668]]), "its counts contain a list of 2"),
    "no runs": (runs([]), "add up to 0 pixels"),
    "too few": (runs([5, 6]), "add up to 11 pixels, but the image has 768"),
    "too many": (runs([700, 69]), "add up to 769 pixels"),
    "below zero": (runs([-5, 773]), "not all 0 or more"),
    "huge": (runs([10**30]), "too large for any image"),
    "sum that overflows": (runs([2**62] * 4), "add up to 18446744073709551616 pixels"),
    "too long when decompressed": (runs("ZZZZZZZZZZZZ"), "not compressed run lengths"),
    "empty text": (runs(""), "not compressed run lengths"),
    "numbers as one text": (runs("100 20 648"), "not compressed run lengths"),
    "bytes as Python prints them": (runs("b'abc'"), "not compressed run lengths"),
    "not ASCII": (runs("é"), "not compressed run lengths"),
    "NUL": (runs("\0\0"), "not compressed run lengths"),
    "endless group": (runs("o" * 30 + "0"), "too large for any image"),
    "compressed, cut off": (runs(text(COUNTS)[:-1]), "not compressed run lengths"),
    "compressed, one run less": (runs(text([*COUNTS[:4], 623])), "add up to 767 pixels"),
    "in a list, and another size": ([runs(COUNTS, [1, 1])], "its size is 1x1"),
    "in a list, beside text": ([runs(COUNTS), "x"], "one of its polygons is 'x'"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_not_understood_is_refused_in_words(form: str) -> None:
    segmentation, reason = REFUSED[form]
    with pytest.raises(ValueError) as error:
        run_lengths(segmentation, SIZE)
    assert type(error.value) is ValueError
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_drawn_or_refused(segmentation: Any) -> None:
    try:
        found = run_lengths(segmentation, SIZE)
    except ValueError:
        return
    assert rle.decode(found).shape == SIZE


POINTS = st.lists(st.tuples(st.floats(-40, 72), st.floats(-40, 64)), min_size=3, max_size=9)


@settings(max_examples=300, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=3))
def test_ordinary_polygons_are_drawn_as_pycocotools_draws_them(polygons: list[list[tuple[float, float]]]) -> None:
    flat = [[value for point in points for value in point] for points in polygons]
    assert np.array_equal(drawn(flat), by_pycocotools(flat))


def mask_of(points: NDArray[np.float64]) -> Mask:
    return by_pycocotools([points.ravel().tolist()]) if len(points) >= 3 else np.zeros(SIZE, bool)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 34), st.floats(-2, 26)), min_size=3, max_size=12))
def test_clipping_does_not_change_a_polygon_inside(points: list[tuple[float, float]]) -> None:
    polygon = np.array(points)
    assert np.array_equal(mask_of(clipped(polygon, SIZE)), mask_of(polygon))


STEPS = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 300)), min_size=2, max_size=10)
DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


@settings(max_examples=300, deadline=None)
@given(st.tuples(st.integers(-250, 400), st.integers(-250, 350)), STEPS)
def test_clipping_leaves_the_mask_as_it_is(start: tuple[int, int], steps: list[tuple[int, int]]) -> None:
    """Exactly, where a split edge needs no rounding: along the axes and the diagonals, grid point to grid point."""
    grid = [np.array(start)]
    for direction, length in steps:
        grid.append(grid[-1] + length * np.array(DIRECTIONS[direction]))
    grid.append(np.array((grid[-1][0], start[1])))  # closed along the axes
    polygon = at_fifths(np.array(grid, float))
    found = clipped(polygon, SIZE)
    assert (found >= -2.2).all()
    assert (found <= (34, 26)).all()
    assert np.array_equal(mask_of(found), mask_of(polygon))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900)), min_size=3, max_size=8))
@example([(-900.0, -900.0), (900.0, -900.0), (0.0, 900.0)])
def test_clipping_moves_no_outline_by_a_pixel(points: list[tuple[float, float]]) -> None:
    polygon = np.array(points)
    for row, col in np.argwhere(mask_of(clipped(polygon, SIZE)) != mask_of(polygon)):
        edges = np.roll(polygon, -1, axis=0) - polygon
        towards = np.array((col + 0.5, row + 0.5)) - polygon
        share = np.clip((towards * edges).sum(1) / np.maximum((edges**2).sum(1), 1e-9), 0, 1)
        assert np.linalg.norm(towards - share[:, None] * edges, axis=1).min() < 1.0


def zigzag(n: int, far: float) -> list[float]:
    return [value for k in range(n) for value in ((-far if k % 2 else far), k * 24 / n)]


def test_long_edges_neither_crash_nor_take_long() -> None:
    """19 KB of JSON, of which pycocotools would walk a billion steps."""
    began = time.process_time()
    assert drawn([zigzag(1000, 99_999.0)]).any()
    assert np.array_equal(drawn([[-9e4, -9e4, 9e4, -9e4, 9e4, 9e4, -9e4, 9e4] * 40]), np.zeros(SIZE, bool))
    assert drawn([[-9e4, -9e4, 9e4, -9e4, 9e4, 9e4, -9e4, 9e4]]).all()
    assert time.process_time() - began < 5


def test_an_outline_that_is_long_inside_a_large_image_too_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 4000000 pixels"):
        run_lengths([zigzag(1000, 99_999.0)], (30_000, 30_000))


def test_a_long_ordinary_outline_in_a_large_image_is_drawn_exactly() -> None:
    comb = [
        value for k in range(0, 200, 2) for x, y in ((k, 2), (k, 2900), (k + 1, 2900), (k + 1, 2)) for value in (x, y)
    ]
    size = (3000, 220)
    assert outlines._length(np.array(comb, float).reshape(-1, 2)) > outlines._LONGEST_UNCLIPPED
    assert np.array_equal(drawn([comb], size), by_pycocotools([comb], size))


def test_many_parts_are_united_in_bounded_time() -> None:
    boxes = [[x, y, x + 2, y, x + 2, y + 2, x, y + 2] for x in range(0, 400, 4) for y in range(0, 400, 4)]
    began = time.process_time()
    mask = drawn(boxes, (400, 400))
    assert time.process_time() - began < 5
    assert mask.sum() == 4 * len(boxes)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_compressed_counts_are_read_as_pycocotools_reads_them(counts: list[int]) -> None:
    size = (sum(counts), 1)
    compressed = rle.frPyObjects({"size": list(size), "counts": counts}, *size)["counts"]
    assert counts_in(compressed).tolist() == counts
    assert counts_in(compressed.decode()).tolist() == counts


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_canonical_runs_are_the_same_mask(counts: list[int]) -> None:
    assume(sum(counts) > 0)
    found = canonical(np.array(counts)).tolist()
    assert np.array_equal(np.repeat(np.arange(len(found)) % 2, found), np.repeat(np.arange(len(counts)) % 2, counts))
    assert all(found[1:])


def test_the_union_of_none_is_empty() -> None:
    assert not rle.area(united([], SIZE))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7), (7.0, 7), ("7", 7), (" 7 ", 7), ("7.0", 7), ("1e3", 1000), (-2, -2), ("-2", -2), ("007", 7),
        (7.5, None), ("7.5", None), ("x", None), ("", None), (None, None), (True, None), ([7], None), ({}, None),
        (math.nan, None), ("nan", None), (math.inf, None), ("1e999", None), ("9" * 5000, None), (10**400, 10**400),
    ],
)  # fmt: skip
def test_whole_numbers(value: Any, number: int | None) -> None:
    assert whole_number(value) == number
