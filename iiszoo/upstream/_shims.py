"""Replacements for names that libraries have removed since a clone was written.

A clone sees them through its own modules in front of the real ones; no other code does. If the installed library still
has a name, the clone gets that.
"""

from __future__ import annotations

import threading
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from iiszoo.errors import UpstreamError

NAMES: dict[str, dict[str, Any]] = {
    "numpy": {
        # aliases of Python's own types, removed in numpy 1.24
        "bool": "builtins:bool",
        "complex": "builtins:complex",
        "float": "builtins:float",
        "int": "builtins:int",
        "long": "builtins:int",
        "object": "builtins:object",
        "str": "builtins:str",
        "unicode": "builtins:str",
        # removed in numpy 2.0 and later
        "Inf": "numpy:inf",
        "NaN": "numpy:nan",
        "alltrue": "numpy:all",
        "bool8": "numpy:bool_",
        "complex_": "numpy:complex128",
        "cumproduct": "numpy:cumprod",
        "float_": "numpy:float64",
        "infty": "numpy:inf",
        "product": "numpy:prod",
        "round_": "numpy:round",
        "row_stack": "numpy:vstack",
        "sometrue": "numpy:any",
        "string_": "numpy:bytes_",
        "trapz": "numpy:trapezoid",
        "unicode_": "numpy:str_",
    },
    # removed in Python 3.10
    "collections": {
        name: f"collections.abc:{name}"
        for name in ("Callable", "Hashable", "Iterable", "Iterator", "Mapping", "MutableMapping", "Sequence", "Set")
    },
}
"""Module -> removed name -> `module:name` of its replacement."""

MODULES: dict[str, dict[str, str]] = {
    "torch._six": {  # removed in torch 1.13
        "container_abcs": "collections:abc",
        "inf": "math:inf",
        "int_classes": "builtins:int",
        "string_classes": "builtins:str",
    },
    "torchvision.models.utils": {  # removed in torchvision 0.15
        "load_state_dict_from_url": "torch.hub:load_state_dict_from_url",
    },
    "mmcv.cnn": {"ConvModule": "iiszoo.models.mmcv_stand_in:ConvModule"},
    "mmcv.runner": {"BaseModule": "iiszoo.models.mmcv_stand_in:BaseModule"},
    "mmcv.runner.base_module": {"BaseModule": "iiszoo.models.mmcv_stand_in:BaseModule"},
}
"""Removed module -> its names, likewise. For a package of `IMPORTED_ONLY`: its names that work."""

IMPORTED_ONLY = {
    "IPython": "IPython",
    "albumentations": "albumentations",
    "attr": "attr",
    "mmcv": "mmcv",
    "tkinter": "tkinter",
    "torch.utils.tensorboard": "tensorboard",
}
"""Modules that forks import at the top of files and seldom use -> the module needed. If that, or its C half `_NAME`, is
not installed, a clone can import anything from there, subclass it and decorate with it. Using it later raises
`UpstreamError`."""

_state = threading.local()


class Proxy(ModuleType):
    """A module as a clone sees it: the real one's names, then `names` (values, or `module:name` strings).

    What the clone sets on it stays on it. Names taken from `NAMES` are recorded in `used`.
    """

    def __init__(self, module: ModuleType, names: Mapping[str, Any], used: set[str]) -> None:
        super().__init__(module.__name__, module.__doc__)
        own: dict[str, Any] = {name: value for name, value in names.items() if not isinstance(value, str)}
        own |= {key: vars(module)[key] for key in ("__path__", "__spec__", "__file__") if key in vars(module)}
        vars(self).update(own, _real=module, _names=names, _used=used)

    def __getattr__(self, name: str) -> Any:
        state = vars(self)
        if name not in state["_names"] or name in vars(state["_real"]):
            return getattr(state["_real"], name)
        state["_used"].add(f"{self.__name__}.{name}")
        return resolved(state["_names"][name])

    def __dir__(self) -> list[str]:
        return sorted({*dir(vars(self)["_real"]), *vars(self)["_names"]})


class Successor(Proxy):
    """A module of a library whose present version has dropped names that forks import: those are as if it were not
    installed, the others are its own.
    """

    def __init__(self, module: ModuleType, used: set[str]) -> None:
        super().__init__(module, {}, used)

    def __getattr__(self, name: str) -> Any:
        real, used = vars(self)["_real"], vars(self)["_used"]
        if not hasattr(real, name) and not name.startswith("__"):
            used.add(f"{self.__name__}.{name}")
            return _dropped(self.__name__, name)
        found = getattr(real, name)
        return seen(found, used) if isinstance(found, ModuleType) else found


def resolved(path: str) -> Any:
    """What `module:name` names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def seen(module: ModuleType, used: set[str]) -> ModuleType:
    """A library's module as a clone sees it: itself, if it still has all names that a fork may use."""
    name = getattr(module, "__name__", "")
    if name in NAMES:
        return Proxy(module, NAMES[name], used)
    if _top(name) == "mmcv" and not import_module("mmcv").__version__.startswith("1."):
        return Successor(module, used)
    return module


def stand_in(name: str, missing: str, leaf: bool, used: set[str]) -> Any:
    """What a clone gets for `import name` if the module `missing` was not found; None if there is nothing.

    `leaf`: the module `name` itself is wanted (`from name import ...`), else its top package.
    """
    for module, needed in IMPORTED_ONLY.items():
        if f"{name}.".startswith(f"{module}.") and _top(missing).removeprefix("_") == needed:
            used.add(name)
            if leaf:
                return _absent(name)
            return _absent(module) if missing == module else seen(import_module(_top(name)), used)
    if leaf and name in MODULES and (name == missing or name.startswith(f"{missing}.")):
        used.add(name)
        given = ModuleType(name, "Provided by iiszoo in place of a removed module.")
        vars(given).update({key: resolved(path) for key, path in MODULES[name].items()})
        return given
    return None


def _dropped(module: str, name: str) -> Any:
    known = MODULES.get(module, {}).get(name)
    return resolved(known) if known else _absent(f"{module}.{name}")


def _top(name: str) -> str:
    return name.partition(".")[0]


@contextmanager
def importing() -> Iterator[None]:
    """While a module of a clone runs in this thread, absent names may be called."""
    _state.depth = getattr(_state, "depth", 0) + 1
    try:
        yield
    finally:
        _state.depth -= 1


class _Absent(ABCMeta):
    """The type of names that are not installed: their attributes are absent, too; they are classes, so they can be
    bases.
    """

    def __getattr__(cls, name: str) -> Any:
        if "absent" not in vars(cls) or name.startswith("__"):
            raise AttributeError(f"{cls.__name__!r} has no attribute {name!r}")
        return _dropped(vars(cls)["absent"], name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        path = next(vars(base)["absent"] for base in cls.__mro__ if "absent" in vars(base))
        if not getattr(_state, "depth", 0):
            needed = next(needed for module, needed in IMPORTED_ONLY.items() if path.startswith(module))
            raise UpstreamError(
                f"this part of the clone uses {path}, but the module {needed} is not installed; `pip install` the "
                "package that provides it"
            )
        if len(args) == 1 and not kwargs and callable(args[0]) and "absent" not in vars(args[0]):
            return args[0]  # as a decorator
        return _absent(f"{path}()")


def _absent(path: str) -> Any:
    return _Absent(path.rpartition(".")[2], (), {"absent": path, "__module__": path.rpartition(".")[0]})
