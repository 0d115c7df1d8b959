"""Tables on a terminal of any width: every cell whole, no line too long; and numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from iiszoo import units
from iiszoo.cli import tables

WORD = st.text("abcdefghij/-.é漢", min_size=1, max_size=30)
SENTENCE = st.lists(WORD, max_size=20).map(" ".join)


def drawn(width: int | None, *arguments: object, **options: object) -> list[str]:
    before = tables._room
    tables._room = lambda: width
    try:
        return tables.table(*arguments, **options).splitlines()  # type: ignore[arg-type]
    finally:
        tables._room = before


@given(st.integers(40, 200), st.lists(st.tuples(WORD, WORD, WORD, SENTENCE), min_size=1, max_size=5), st.booleans())
def test_nothing_is_broken_inside_a_word_and_no_line_is_too_long(
    width: int, rows: list[tuple[str, ...]], prose: bool
) -> None:
    rows = rows if prose else [row[:3] for row in rows]
    lines = drawn(width, ["model", "n", "ms", ""][: len(rows[0])], rows, prose=prose)
    words = {word for line in lines for word in line.replace(",", " ").split()}
    for row in rows:
        assert {word for cell in row for word in cell.split()} <= words
    longest = max(cell_len(word) for row in rows for cell in row for word in cell.split())
    assert all(cell_len(line) <= max(width, longest + 4) for line in lines)


@given(st.lists(st.tuples(WORD, WORD, SENTENCE), min_size=1, max_size=5))
def test_a_file_gets_one_line_per_row(rows: list[tuple[str, ...]]) -> None:
    lines = drawn(None, ["model", "n", ""], rows, prose=True)
    assert len(lines) == 2 + len(rows)
    for line, row in zip(lines[2:], rows, strict=True):
        assert line.split() == " ".join(row).split()


def test_figures_are_flush_right_and_names_flush_left() -> None:
    lines = drawn(80, ["model", "NoC"], [["a", "1.5"], ["bbb", "12.25"]])
    assert lines == ["model    NoC", "────────────", "a        1.5", "bbb    12.25"]


def test_a_long_name_has_a_line_of_its_own() -> None:
    rows = [["short", "1.50", "9"], ["a-model-with-a-very-long-name", "2.25", "10"]]
    lines = drawn(30, ["model", "NoC@90", "ms"], rows)
    assert lines[2:] == ["short    1.50   9", "a-model-with-a-very-long-name", "         2.25  10"]


def test_where_even_that_is_too_wide_cells_have_their_titles() -> None:
    lines = drawn(24, ["model", "dataset", "NoC@85", "NoC@90"], [["a/b", "berkeley", "1.50", "2.25"]])
    assert lines[2:] == ["a/b", "  dataset berkeley,", "  NoC@85 1.50, NoC@90", "  2.25"]


def test_a_sentence_below_takes_at_most_the_lines_it_was_given() -> None:
    lines = drawn(40, ["model", ""], [["a", "word " * 40]], prose=True, lines=2)
    assert len(lines) == 5
    assert lines[-1].endswith("…")


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (None, ""), (0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (8_544_114, "8.5 MB"), (28_085_517, "28 MB"),
        (999_600, "1 MB"), (375_042_383, "375 MB"), (1_249_524_607, "1.2 GB"), (2_564_550_879, "2.6 GB"),
        (10**15, "1000 TB"),
    ],
)  # fmt: skip
def test_sizes(n_bytes: int | None, text: str) -> None:
    assert units.size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0.0004, "0.4 ms"), (0.082, "82 ms"), (0.9996, "1 s"), (1.36, "1.4 s"), (59, "59 s"),
        (119.9, "120 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_times(seconds: float | None, text: str) -> None:
    assert units.time(seconds) == text


@given(st.floats(0, 1e15), st.floats(0, 1e15))
def test_a_larger_size_never_reads_as_a_smaller_one(a: float, b: float) -> None:
    def value(text: str) -> float:
        number, unit = text.split(" ")
        return float(number) * {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]

    low, high = sorted((a, b))
    assert value(units.size(low)) <= value(units.size(high))
    assert value(units.size(low)) == pytest.approx(low, rel=0.06, abs=0.06)


def test_counts() -> None:
    assert [units.count(n) for n in (None, 4_220_047, 45_687_941)] == ["", "4.2 M", "46 M"]
    assert [units.number_of(n, "sample") for n in (0, 1, 2, 6671)] == [
        "0 samples",
        "1 sample",
        "2 samples",
        "6,671 samples",
    ]
