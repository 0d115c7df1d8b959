"""Reading JSON that may have been edited or damaged: values are checked before they are used.

Every check raises `ValueError` with a phrase that names the fault, such as `iou[3] must lie in [0, 1], not 7`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

Check = Callable[[Any, str], Any]
"""Called with a value and its name; returns the value."""


def parse(text: bytes) -> Any:
    """The JSON value of UTF-8 bytes. Refuses NaN, Infinity, and nesting too deep for Python."""
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("it contains a number that is too large")
    return value


def text(value: Any, name: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise wrong(name, "be a string", value)
    return value


def flag(value: Any, name: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise wrong(name, "be true or false", value)
    return value


def whole(low: int, high: int) -> Check:
    """An integer from `low` to `high`."""

    def check(value: Any, name: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise wrong(name, f"be a whole number from {low} to {high}", value)
        return value

    return check


def real(low: float, high: float) -> Check:
    """A number from `low` to `high`."""

    def check(value: Any, name: str) -> float:
        if type(value) not in (int, float) or not low <= value <= high:  # false for NaN
            raise wrong(name, f"lie in [{low:g}, {high:g}]", value)
        return float(value)

    return check


def optional(check: Check) -> Check:
    """None, or what `check` accepts."""
    return lambda value, name: None if value is None else check(value, name)


def list_of(check: Check) -> Check:
    """A list of what `check` accepts."""

    def checked(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong(name, "be a list", value)
        return [check(item, f"{name}[{i}]") for i, item in enumerate(value)]

    return checked


def tuple_of(*checks: Check) -> Check:
    """A list of as many values as there are checks."""

    def checked(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list) or len(value) != len(checks):
            raise wrong(name, f"be a list of {len(checks)}", value)
        return [check(item, f"{name}[{i}]") for i, (check, item) in enumerate(zip(checks, value, strict=True))]

    return checked


def table_of(check: Check) -> Check:
    """An object whose values are all what `check` accepts."""

    def checked(value: Any, name: str) -> dict[str, Any]:
        return {key: check(item, f"{name}.{shortened(key)}") for key, item in table(value, name).items()}

    return checked


def table(value: Any, name: str) -> dict[str, Any]:
    """An object with any content."""
    if not isinstance(value, dict):
        raise wrong(name, "be an object", value)
    return value


def record(required: dict[str, Check], known: dict[str, Check] | None = None) -> Check:
    """An object with the `required` keys; `known` keys are checked if present, others are left unchecked."""

    def checked(value: Any, name: str) -> dict[str, Any]:
        prefix = f"{name}." if name else ""
        found = dict(table(value, name or "it"))
        for key in required:
            if key not in found:
                raise ValueError(f"{prefix}{key} is missing")
        for key, check in {**required, **(known or {})}.items():
            if key in found:
                found[key] = check(found[key], f"{prefix}{key}")
        return found

    return checked


def wrong(name: str, must: str, value: Any) -> ValueError:
    return ValueError(f"{name} must {must}, not {shortened(value)}")


def shortened(value: Any) -> str:
    """A value for a sentence, as JSON, cut if it is long."""
    try:
        shown = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
