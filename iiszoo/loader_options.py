"""The options of a card's loader: its keyword parameters, except those that iiszoo itself passes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from iiszoo.errors import BadOption, raised_as

_GIVEN = ("device", "checkpoint", "root", "argument")
"""The keywords that iiszoo itself passes to a loader."""


def options_of(loader: Callable[..., Any]) -> dict[str, Any]:
    """A loader's options, with their defaults."""
    _, *parameters = _parameters(loader)  # the first is the card
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.name not in _GIVEN and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }


def check_options(what: str, loader: Callable[..., Any], options: Mapping[str, Any], common: Iterable[str]) -> None:
    """Raise `BadOption` for an option that `what` (`"model sam/vit-b"`) does not have, or for a value that is not true
    or false if the default is. `common`: options that all models (or all datasets) have. The loader is not called; it
    checks other values itself.
    """
    known = options_of(loader)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in _parameters(loader))
    for name, value in options.items():
        if name not in known and name not in common and not takes_any:
            has = ", ".join(dict.fromkeys([*known, *common]))
            raise BadOption(f"{what} has no option {name!r}; it has {has}")
        if isinstance(known.get(name), bool) and not isinstance(value, bool):
            raise BadOption(f"{what}: option {name!r} must be true or false, not {value}")


def _parameters(loader: Callable[..., Any]) -> list[inspect.Parameter]:
    """A loader's parameters. Raises `BadOption` if it cannot be called or does not take the card."""
    with raised_as(BadOption, f"{loader!r:.200} cannot be called as a loader"):
        parameters = [*inspect.signature(loader).parameters.values()]
    if not parameters:
        raise BadOption(f"{loader!r:.200} cannot be called as a loader: it takes no card")
    return parameters
