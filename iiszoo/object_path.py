"""`"package.module:name"`: the name of a Python object that is imported only when needed."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from iiszoo.cards import OBJECT_PATH
from iiszoo.errors import BadOption, raised_as
from iiszoo.trained_file import named_file


def load_object(path: str) -> Any:
    """Import the object that `"package.module:name"` names. Raises `BadOption` if that fails."""
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

    Raises `BadOption` for a file name; the message gives the module's name instead.
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
    if not colon or "/" in function or "\\" in function:  # a drive letter is followed by a colon, too
        file, function = name, ""
    folder, slash, last = file.replace("\\", "/").rpartition("/")
    if not (last.endswith(".py") or file.startswith((".", "/", "~")) or "\\" in file or (slash and function)):
        return
    module = last.removesuffix(".py")
    if not module.isidentifier():
        raise BadOption(
            f"model {name!r} names a file, but {module!r} is not a valid module name; rename the file to a word of "
            "letters, digits and '_', and name the model MODULE:FUNCTION"
        )
    there = f" and put its folder on Python's path: PYTHONPATH={folder or '/'}" if slash and folder != "." else ""
    raise BadOption(
        f"model {name!r} names a file; name it {module}:{function or 'FUNCTION'}{there} (a module is found in the "
        "working directory and on PYTHONPATH)"
    )
