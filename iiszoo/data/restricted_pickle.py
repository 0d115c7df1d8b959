"""Reading a dataset's pickle without trusting it.

A pickle is a program: it names functions, and loading it calls them. Here it may name only what numbers, strings,
containers and numpy arrays need; any other name is refused and never imported. Arrays are rebuilt from their bytes, so
that a forged dtype cannot make numpy read raw bytes as objects. A pickle can still claim more memory than there is.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iiszoo.errors import DatasetError, one_line

_KINDS = "biufcSU"
"""numpy's kinds that are plain bytes: bool, integers, floats, complex, strings. Objects and records are refused."""


class _Refused(Exception):
    """The pickle contains something that is not read."""


def read_pickle(path: Path) -> Any:
    """The file's numbers, strings, containers and numpy arrays. Raises `DatasetError` naming the file, and the class or
    function if it contains any other.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except _Refused as error:
        raise DatasetError(
            f"{path}: contains {error}, but only numbers, strings, containers and numpy arrays are read from a pickle, "
            "since anything else could run code; save the file without it"
        ) from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DatasetError(f"{path}: cannot be read as a pickle ({one_line(error)})") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is None:
            raise _Refused(f"{module}.{name}")
        return partial(known)  # a new one each time, since a pickle may set attributes on it

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a persistent id")


class _Dtype:
    """Stands for `numpy.dtype` in a pickle."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        found = np.dtype(code if isinstance(code, str) else "O")
        if found.kind not in _KINDS:
            raise _Refused(f"a numpy array of {found.name if isinstance(code, str) else code!r}")
        self.numpy = found

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """`(version, byte order, ...)`; the rest describes objects and records."""
        self.numpy = self.numpy.newbyteorder(state[1])


def _numpy(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _Dtype):
        raise _Refused(f"a numpy array of {dtype!r}")
    return dtype.numpy


class _Array(np.ndarray[Any, Any]):
    """Stands for an array in a pickle; empty until its state arrives."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_column, data = state
        super().__setstate__((1, shape, _numpy(dtype), by_column, data))  # numpy checks the number of bytes


def _empty_array(kind: Any, shape: tuple[int, ...], code: bytes) -> _Array:
    return np.zeros(0, np.uint8).view(_Array)


def _array_of_buffer(data: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> NDArray[Any]:
    return np.frombuffer(data, _numpy(dtype)).reshape(shape, order="F" if order == "F" else "C").copy()


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, _numpy(dtype), count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Protocols up to 2 write bytes as text in this encoding."""
    if encoding != "latin1":
        raise _Refused(f"text encoded as {encoding}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")  # the latter in protocols up to 2
        for kind in (bytearray, bytes, complex, dict, frozenset, int, list, set)
    },
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): object,  # only ever passed on, to `_empty_array`
    **{
        (f"numpy.{core}.multiarray", name): function  # numpy 2 renamed core to _core
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _empty_array), ("scalar", _scalar))
    },
    ("numpy.core.numeric", "_frombuffer"): _array_of_buffer,
    ("numpy._core.numeric", "_frombuffer"): _array_of_buffer,
}
