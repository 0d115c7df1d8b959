"""Tables on the terminal. No cell is broken inside a word: what is too wide goes to further lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from iiszoo.cli.terminal import in_encoding_of, shown

_GAP = "  "
_LEAST_PROSE = 24
"""Columns of the terminal that a sentence needs beside other cells."""
_NUMERAL = "0123456789(–-+"
"""How figures begin, which are set flush right."""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, prose: bool = False, lines: int | None = None
) -> str:
    """A table as text: for a file or a pipe one line per row, else for the width of the terminal.

    If it is too wide, a long first cell has a line of its own; if that is not enough, the others follow it as `title
    cell, title cell`. With `prose` the last cell is a sentence, possibly empty: it wraps beside the other cells,
    or below them if it would be narrow. With `lines` it is always below, in at most so many lines: an ellipsis shows
    that it was cut.
    """
    titles, cells = [*columns], [[_printable(cell) for cell in row] for row in rows]
    sentences = [row.pop() for row in cells] if prose else [""] * len(cells)
    last = titles.pop() if prose else ""
    grid = _Grid(titles, cells)
    room = _room()
    if room is None or (prose and lines is None and grid.width + len(_GAP) + _LEAST_PROSE <= room):
        return _beside(grid, last, sentences, 10_000 if room is None else room)
    head, *bodies = _fitted(grid, room)
    done = [*head, "─" * min(room, max(map(cell_len, (line for block in (head, *bodies) for line in block))))]
    for body, sentence in zip(bodies, sentences, strict=True):
        done += [*body, *_indented(sentence, room, lines)]
    return "\n".join(done)


@dataclass(frozen=True)
class _Grid:
    """Cells in columns as wide as their widest cell; a column of figures is flush right."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def widths(self) -> list[int]:
        return [max(map(cell_len, column)) for column in zip(self.titles, *self.rows, strict=True)]

    @property
    def width(self) -> int:
        return sum(self.widths) + len(_GAP) * (len(self.titles) - 1)

    def lines(self) -> list[str]:
        """The titles' line, then one per row."""
        numeral = [all(cell[:1] in _NUMERAL for cell in column) for column in zip(*self.rows, strict=True)]
        sides = [">" if flush and self.rows else "<" for flush in numeral] or ["<"] * len(self.titles)
        made = []
        for row in (self.titles, *self.rows):
            padded = zip(row, self.widths, sides, strict=True)
            made.append(_GAP.join(f"{cell:{side}{width - cell_len(cell) + len(cell)}}" for cell, width, side in padded))
        return [line.rstrip() for line in made]


def _beside(grid: _Grid, last: str, sentences: Sequence[str], room: int) -> str:
    """Every sentence in a last column."""
    head, *body = grid.lines()
    indent = grid.width + len(_GAP)
    columns = [[last], *(_lines(sentence, room - indent) for sentence in sentences)]
    widest = max([0, *(cell_len(part) for column in columns for part in column)])
    done = []
    for line, column in zip((head, *body), columns, strict=True):
        first, *more = column
        done += [(line + " " * (indent - cell_len(line)) + first).rstrip(), *(" " * indent + part for part in more)]
    return "\n".join([done[0], "─" * (indent + widest if widest else grid.width), *done[1:]])


def _fitted(grid: _Grid, room: int) -> list[list[str]]:
    """The lines of the titles and of each row, none longer than `room` unless a single word is."""
    if grid.width <= room:
        return [[line] for line in grid.lines()]
    firsts = [grid.titles[0], *(row[0] for row in grid.rows)]
    others = _Grid(grid.titles[1:], [row[1:] for row in grid.rows])
    space = room - others.width - len(_GAP)
    if space < len(_GAP):
        pairs = [", ".join(map(" ".join, zip(others.titles, row, strict=True))) for row in others.rows]
        return [[firsts[0]], *([first, *_indented(text, room)] for first, text in zip(firsts[1:], pairs, strict=True))]
    column = max([len(_GAP), *(cell_len(first) for first in firsts if cell_len(first) <= space)])
    made = []
    for first, line in zip(firsts, others.lines(), strict=True):
        beside = cell_len(first) <= column
        lead = first + " " * (column - cell_len(first)) if beside else " " * column
        made.append([*([] if beside else [first]), lead + _GAP + line])
    return made


def wrapped(text: str, indent: str = _GAP) -> list[str]:
    """A text in lines for the width of the terminal, all but the first indented once more; for a file one line."""
    room = _room()
    first, *more = [text] if room is None else _lines(text, room - len(indent) - len(_GAP))
    return [indent + first, *(indent + _GAP + line for line in more)]


def _indented(sentence: str, room: int, most: int | None = None) -> list[str]:
    return [_GAP + line for line in _lines(sentence, room - len(_GAP), most) if line]


def _lines(text: str, width: int, most: int | None = None) -> list[str]:
    """The text in lines of at most `width` cells, a longer word alone; `most` lines, if need be with an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if most is not None and len(lines) > most:
        kept = lines[most - 1]
        while cell_len(kept) > width - 2 and " " in kept:
            kept = kept.rpartition(" ")[0]
        lines[most - 1 :] = [f"{kept} …"]
    return lines


def _printable(cell: str) -> str:
    return in_encoding_of(sys.stdout, shown(cell, one_line=True))


def _room() -> int | None:
    """The terminal's width; None for a file or a pipe, which has none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
