"""`"package.module:name"`: how cards and people name Python objects that are imported only when they are wanted."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from iiszoo.cards import OBJECT_PATH
from iiszoo.errors import BadOption, raised_as
from iiszoo.trained_file import named_file


def load_object(path: str) -> Any:
    """Import what `"package.module:name"` names. Raises `BadOption` if that cannot be done."""
    module, _, name = path.partition(":")
    with raised_as(BadOption, f"{path!r} cannot be imported"):
        imported = import_module(module)
        if hasattr(imported, name):
            return getattr(imported, name)
        near = difflib.get_close_matches(name, dir(imported), n=1)
    raise BadOption(f"module {module!r} has no {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")


def is_function(model: str | Callable[..., Any]) -> bool:
    """Whether this is a callable or names one (`module:function`); otherwise it is an id of the zoo, or names the file
    of a trained network.

    Raises `BadOption` for the name of a file, with the name that its module has.
    """
    if not isinstance(model, str):
        return True
    if named_file(model) is not None:
        return False
    name = model.partition("?")[0]
    _refuse_file(name)
    return OBJECT_PATH.match(name) is not None


def function_name(function: str | Callable[..., Any]) -> str:
    """`module:qualified name` of a function, or of an object's class."""
    if isinstance(function, str):
        return function
    qualified = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{qualified}"


def _refuse_file(name: str) -> None:
    file, colon, function = name.rpartition(":")
    if not colon or "/" in function or "\\" in function:  # a drive's letter stands before a colon too
        file, function = name, ""
    folder, slash, last = file.replace("\\", "/").rpartition("/")
    if not (last.endswith(".py") or file.startswith((".", "/", "~")) or "\\" in file or (slash and function)):
        return
    module = last.removesuffix(".py")
    if not module.isidentifier():
        raise BadOption(
            f"model {name!r} names a file, and no module can be called {module!r}; rename the file to a word of "
            "letters, digits and '_', and name the model MODULE:FUNCTION"
        )
    there = f" and put its folder on Python's path: PYTHONPATH={folder or '/'}" if slash and folder != "." else ""
    raise BadOption(
        f"model {name!r} names a file; name it {module}:{function or 'FUNCTION'}{there} (a module is found in the "
        "working directory and on PYTHONPATH)"
    )
