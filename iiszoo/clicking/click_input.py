"""Clicks as people give them: checked, and refused in one sentence that says how to write them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from iiszoo.errors import BadOption
from iiszoo.protocol import Click

_FORM = "a list of (row, col) pairs, such as [(120, 80)]"


def checked_clicks(clicks: Any, size: tuple[int, int], what: str = "clicks") -> list[Click]:
    """The clicks, as pairs of ints; `clicks` may also be an array of integers `(N, 2)`. `size`: (rows, columns).

    Raises `BadOption`, naming `what` and the click, for another nesting, for coordinates that are not whole numbers,
    and for a click outside the image, with the other order if that would fit.
    """
    if isinstance(clicks, np.ndarray):
        clicks = clicks.tolist()
    if isinstance(clicks, str | bytes) or not isinstance(clicks, Sequence):
        raise BadOption(f"{what} must be {_FORM}, not {_shown(clicks)}")
    if len(clicks) == 2 and all(isinstance(number, numbers.Real) for number in clicks):
        raise BadOption(f"{what} must be {_FORM}; for one click write [{_pair(clicks)}]")
    return [_checked(click, size, what) for click in clicks]


def _checked(click: Any, size: tuple[int, int], what: str) -> Click:
    if isinstance(click, np.ndarray):
        click = click.tolist()
    pair = [*click] if isinstance(click, Sequence) and not isinstance(click, str | bytes) else []
    if len(pair) != 2 or not all(_is_number(number) for number in pair):
        hint = " (it is nested too deeply)" if pair and isinstance(pair[0], tuple | list) else ""
        raise BadOption(f"{what} must be {_FORM}, but contain {_shown(click)}{hint}")
    if not all(isinstance(number, numbers.Integral) for number in click):
        finite = all(math.isfinite(number) for number in click)
        rounded = f"; write ({round(click[0])}, {round(click[1])})" if finite else ""
        raise BadOption(f"{what}: click {_pair(click)} is not a whole pixel{rounded}")
    row, col = int(click[0]), int(click[1])
    if not _inside(row, col, size):
        hint = f"; a click is (row, col): did you mean ({col}, {row})?" if _inside(col, row, size) else ""
        raise BadOption(
            f"{what}: click ({row}, {col}) lies outside the image of {size[0]} rows and {size[1]} columns{hint}"
        )
    return row, col


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _inside(row: int, col: int, size: tuple[int, int]) -> bool:
    return 0 <= row < size[0] and 0 <= col < size[1]


def _pair(click: Sequence[Any]) -> str:
    return f"({', '.join(map(str, click))})"


def _shown(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001  the value may be anything
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
