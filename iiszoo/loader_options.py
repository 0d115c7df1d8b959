"""The options of a card's loader: its keyword parameters, except those that iiszoo itself passes."""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from iiszoo.errors import BadOption, raised_as
from iiszoo.names import text_of_value

_GIVEN = ("device", "checkpoint", "root", "argument")
"""The keywords that iiszoo itself passes to a loader."""
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string", Path: "a path"}
"""The types whose values a name can state, and how a sentence calls them. Options of other types are not checked."""


def options_of(loader: Callable[..., Any]) -> dict[str, Any]:
    """A loader's options, with their defaults."""
    return {option.name: option.default for option in _options(loader)}


def checked_options(
    what: str, loader: Callable[..., Any], options: Mapping[str, Any], common: Iterable[str]
) -> dict[str, Any]:
    """The options as the loader of `what` (`"model sam/vit-b"`) gets them; it is not called.

    Raises `BadOption` for an option that it does not have, and for a value of another type than the parameter's
    annotation or else its default. A number, `true` or `false` for a text is that text: a file may be called 3. The
    loader checks values further. `common`: options that all models (or all datasets) have.
    """
    known = {option.name: option for option in _options(loader)}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in _parameters(loader))
    checked = dict(options)
    for name, value in options.items():
        if name not in known and name not in common and not takes_any:
            has = ", ".join(dict.fromkeys([*known, *common]))
            raise BadOption(f"{what} has no option {name!r}; it has {has}")
        if name in known and value is not known[name].default:
            checked[name] = _fitting(what, name, value, _allowed(known[name], loader))
    return checked


def _fitting(what: str, name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """The value as one of the allowed ones; types, and the values of a Literal. Nothing allowed: everything is."""
    if not allowed or any(_fits(value, one) for one in allowed):
        return value
    text = text_of_value(value) if isinstance(value, bool | int | float) else value
    if isinstance(text, str) and (text in allowed or str in allowed or Path in allowed):
        return text
    kinds = [_WORDS.get(one) if isinstance(one, type) else repr(one) for one in allowed if one is not types.NoneType]
    raise BadOption(f"{what}: option {name!r} must be {' or '.join(map(str, kinds))}, not {value!r:.200}")


def _fits(value: Any, allowed: Any) -> bool:
    if not isinstance(allowed, type):
        return type(value) is type(allowed) and bool(value == allowed)
    if allowed is float:
        return type(value) in (int, float) and math.isfinite(value)
    if allowed is int:
        return type(value) is int
    return isinstance(value, allowed)


def _allowed(option: inspect.Parameter, loader: Callable[..., Any]) -> tuple[Any, ...]:
    """The types and values that an option takes; () if that is not known."""
    annotation = option.annotation
    if isinstance(annotation, str):
        annotation = _evaluated(annotation, loader)
    if annotation is not option.empty:
        return _parts(annotation)
    kind = type(option.default)
    if kind not in _WORDS:  # no default, or None
        return ()
    return (float,) if kind is int else (kind,)  # without an annotation, 1 may stand for 1.0


def _parts(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows, each as a type of `_WORDS`, None's type or a value; () if it allows anything else."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin is Literal:
        return get_args(annotation)
    if origin in (Union, types.UnionType):
        every = [_parts(part) for part in get_args(annotation)]
        return tuple(one for parts in every for one in parts) if all(every) else ()
    if annotation is None:
        return (types.NoneType,)
    return (annotation,) if annotation in (*_WORDS, types.NoneType) else ()


def _evaluated(annotation: str, loader: Callable[..., Any]) -> Any:
    """The meaning of an annotation that `from __future__ import annotations` has left as text; `Any` if it has none
    here, such as a name that is imported for type checkers only.
    """
    function = inspect.unwrap(loader)
    names = getattr(function, "__globals__", None) or vars(sys.modules.get(function.__module__, types))
    try:
        return eval(annotation, dict(names))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  whatever it names
        return Any


def _options(loader: Callable[..., Any]) -> list[inspect.Parameter]:
    _, *parameters = _parameters(loader)  # the first is the card
    return [
        parameter
        for parameter in parameters
        if parameter.name not in _GIVEN and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


def _parameters(loader: Callable[..., Any]) -> list[inspect.Parameter]:
    """A loader's parameters. Raises `BadOption` if it cannot be called or does not take the card."""
    with raised_as(BadOption, f"{loader!r:.200} cannot be called as a loader"):
        parameters = [*inspect.signature(loader).parameters.values()]
    if not parameters:
        raise BadOption(f"{loader!r:.200} cannot be called as a loader: it takes no card")
    return parameters
