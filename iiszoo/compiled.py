"""Functions compiled by numba, and where their machine code is kept between processes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
from numba.core.dispatcher import Dispatcher

from iiszoo import __version__

Function = TypeVar("Function", bound=Callable[..., Any])

_COMPILED: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True}
_PART: dict[str, Any] = {**_COMPILED, "no_cpython_wrapper": True}
"""Without what calls a function from Python, a fifth of the compiler's work."""
_settings: Any = numba.config  # its attributes are made at run time


def compiled(function: Function) -> Function:
    """Decorator: `function` compiled at its first call with each combination of types; it runs without Python's lock.

    The machine code is kept in `NUMBA_CACHE_DIR`, else beside the source file, else, if that folder cannot be written,
    in `CACHE/numba/VERSION`, else in numba's folder for the user. If none can be written, every process compiles anew.
    """
    with _place_for(Path(function.__code__.co_filename).parent):
        try:
            made = numba.njit(cache=True, **_COMPILED)(function)
        except RuntimeError:  # no place can be written
            made = numba.njit(**_COMPILED)(function)
    return cast(Function, made)


def compiled_part(function: Function) -> Function:
    """Decorator for a function that only compiled functions call: its machine code is part of theirs."""
    return cast(Function, numba.njit(**_PART)(function))


def is_kept(module: ModuleType) -> bool:
    """Whether nothing of a module is left to compile and keep: the machine code of each compiled function is on disk
    and no older than the source file. Functions whose code cannot be kept do not count.
    """
    written = Path(str(module.__file__)).stat().st_mtime
    for function in vars(module).values():
        place = function.stats.cache_path if isinstance(function, Dispatcher) else None
        if place is not None:
            indices = Path(place).glob(f"*.{function.__qualname__}-*.nbi")
            if not any(index.stat().st_mtime >= written for index in indices):
                return False
    return True


@contextmanager
def _place_for(folder: Path) -> Iterator[None]:
    """Where numba looks first, while it takes a function of a source file in `folder`."""
    chosen = _settings.CACHE_DIR
    if not chosen and not _can_keep(folder):
        from iiszoo.assets import cache_root  # here, since the compilers' processes are waited for

        _settings.CACHE_DIR = str(cache_root() / "numba" / __version__)
    try:
        yield
    finally:
        _settings.CACHE_DIR = chosen


@functools.cache
def _can_keep(folder: Path) -> bool:
    """Whether numba can write beside the source files of `folder`."""
    place = folder / "__pycache__"
    try:
        place.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True
