"""What the page may ask, checked before anything is done with it."""

from __future__ import annotations

from typing import Any

from iiszoo.engine.runs import json_values
from iiszoo.engine.runs.json_values import Check, list_of, record, text, tuple_of, whole
from iiszoo.errors import BadOption

MOST_BYTES = 1 << 18
"""Of one request."""
_SIDE = 1 << 20
_COUNT = 1 << 31
_place = whole(0, _SIDE)


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise json_values.wrong(name, "be true or false", value)
    return value


def _some(check: Check) -> Check:
    """A list that is not empty."""

    def checked(value: Any, name: str) -> list[Any]:
        found: list[Any] = list_of(check)(value, name)
        if not found:
            raise ValueError(f"{name} is empty")
        return found

    return checked


_REQUESTS: dict[str, dict[str, Check]] = {
    "open": {"image": whole(0, _COUNT)},
    "click": {"row": _place, "col": _place, "positive": _truth, "label": text},
    "stroke": {"points": _some(tuple_of(_place, _place)), "size": whole(1, 4096), "erase": _truth, "label": text},
    "unclick": {"click": whole(1, _COUNT)},
    "accept": {},
    "discard": {},
    "select": {"object": whole(1, _COUNT)},
    "delete": {"object": whole(1, _COUNT)},
    "label": {"object": whole(1, _COUNT), "label": text},
    "undo": {},
    "redo": {},
    "hover": {"row": _place, "col": _place, "positive": _truth},
    "view": {"top": _place, "left": _place, "height": _place, "width": _place, "step": whole(1, 1024)},
    "model": {"name": text},
}


def checked(content: str | bytes) -> dict[str, Any]:
    """The request in a message, with `n`, its number, and `do`, what is asked. Raises `BadOption`."""
    try:
        raw = json_values.parse(content.encode() if isinstance(content, str) else content)
        head: dict[str, Any] = record({"n": whole(0, _COUNT), "do": text})(raw, "")
        if head["do"] not in _REQUESTS:
            raise ValueError(f"do is {json_values.shortened(head['do'])}, which is not known")
        fields = _REQUESTS[head["do"]]
        values: dict[str, Any] = record(fields)(head, "")
        return {key: values[key] for key in ("n", "do", *fields)}
    except ValueError as error:
        raise BadOption(f"a request that cannot be understood: {error}") from error
