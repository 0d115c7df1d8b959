"""Functions compiled by numba, and where their machine code is kept between processes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from iiszoo import __version__
from iiszoo.assets import cache_root

Function = TypeVar("Function", bound=Callable[..., Any])

_settings: Any = numba.config  # its attributes are made at run time


def compiled(function: Function) -> Function:
    """Decorator: `function` compiled at its first call with each combination of types; it runs without Python's lock.

    The machine code is kept in `NUMBA_CACHE_DIR`, else beside the source file, else, if that folder cannot be written,
    in `CACHE/numba/VERSION`, else in numba's folder for the user. If none can be written, every process compiles anew.
    """
    with _place_for(Path(function.__code__.co_filename).parent):
        try:
            made = numba.njit(cache=True, nogil=True)(function)
        except RuntimeError:  # no place can be written
            made = numba.njit(nogil=True)(function)
    return cast(Function, made)


@contextmanager
def _place_for(folder: Path) -> Iterator[None]:
    """Where numba looks first, while it takes a function of a source file in `folder`."""
    chosen = _settings.CACHE_DIR
    if not chosen and not _can_keep(folder):
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
