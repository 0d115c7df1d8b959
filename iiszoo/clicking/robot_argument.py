"""A robot's argument, after the colon of its name: `sigma=0.3`, `ritm=0.7,random-false=0.3`."""

from __future__ import annotations

import math

from iiszoo.errors import BadOption


def numbers(argument: str, usage: str) -> dict[str, float]:
    """`"a=1,b=0.5"` as `{"a": 1.0, "b": 0.5}`. Raises `BadOption`, which quotes `usage`, the robot's form."""
    values: dict[str, float] = {}
    for part in argument.split(",") if argument else []:
        name, _, text = (piece.strip() for piece in part.rpartition("="))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value):
            raise BadOption(f"robot argument {part.strip()!r} does not have the form NAME=NUMBER; write {usage}")
        if name in values:
            raise BadOption(f"robot argument {name!r} is given twice; write {usage}")
        values[name] = value
    return values
