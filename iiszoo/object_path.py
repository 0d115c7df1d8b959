"""`"package.module:name"`: how cards and people name Python objects that are imported only when they are wanted."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from iiszoo.cards import OBJECT_PATH
from iiszoo.errors import BadOption, one_line


def load_object(path: str) -> Any:
    """Import what `"package.module:name"` names. Raises `BadOption` if that cannot be done."""
    module, _, name = path.partition(":")
    try:
        imported = import_module(module)
    except Exception as error:
        raise BadOption(f"{path!r} cannot be imported: {one_line(error)}") from error
    if not hasattr(imported, name):
        near = difflib.get_close_matches(name, dir(imported), n=1)
        raise BadOption(f"module {module!r} has no {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return getattr(imported, name)


def is_function(model: str | Callable[..., Any]) -> bool:
    """Whether this is a callable or names one (`module:function`); otherwise it is an id of the zoo."""
    return not isinstance(model, str) or OBJECT_PATH.match(model.partition("?")[0]) is not None


def function_name(function: str | Callable[..., Any]) -> str:
    """`module:qualified name` of a function, or of an object's class."""
    if isinstance(function, str):
        return function
    qualified = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{qualified}"
