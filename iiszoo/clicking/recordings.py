"""Clicks that people have made, by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class RecordedClick(NamedTuple):
    """A pixel, (row, col) from 0, and whether the person meant the object."""

    row: int
    col: int
    positive: bool


@dataclass(frozen=True)
class Recording:
    """The clicks of one person on one sample, or, in a CSV file, one first click and what anyone clicked later.

    `first` is the click made when nothing was selected, None if the person began with a mask, or made no click. `size`
    is (rows, columns) of the image, in which all clicks lie; None if it is unknown.
    """

    first: RecordedClick | None
    later: tuple[RecordedClick, ...]
    size: tuple[int, int] | None

    def on(self, size: tuple[int, int]) -> Recording:
        """The same clicks on the image in another `size`.

        Raises `ValueError` if that is not the same image: its sides have another ratio, or a click lies outside it.
        """
        if self.size == size:
            return self
        rows, columns = size
        if self.size is None:
            for row, col, _ in (*([self.first] if self.first else []), *self.later):
                if not (0 <= row < rows and 0 <= col < columns):
                    raise ValueError(f"one is in row {row}, column {col}, but the image has {rows} x {columns}")
            return Recording(self.first, self.later, size)
        height, width = self.size
        if abs(height * columns - width * rows) > max(height, width, rows, columns):  # more than half a pixel or so
            raise ValueError(f"they were made on an image of {height} x {width}, but it has {rows} x {columns}")
        first = None if self.first is None else moved(self.first, self.size, size)
        return Recording(first, tuple(moved(click, self.size, size) for click in self.later), size)


def moved(click: RecordedClick, before: tuple[int, int], size: tuple[int, int]) -> RecordedClick:
    """The click on the image of size `before`, inside it, on the image in another `size`."""
    row, col = (min(max(at, 0), side - 1) for at, side in zip(click[:2], before, strict=True))
    return RecordedClick(row * size[0] // before[0], col * size[1] // before[1], click.positive)


Recordings = Mapping[str, Sequence[Recording]]
"""By sample id."""
