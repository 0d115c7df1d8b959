"""Reading a checkpoint without trusting it."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import threading
import warnings
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iiszoo.assets import _format
from iiszoo.errors import WeightsError

MOST_NAMES = 1000
"""Classes and functions outside torch that a checkpoint may name. torch's reader goes through all of them at each
use of one, so that a file with many would take hours."""

MOST_LOOKS = 20_000_000
"""How many such names torch's reader may go through in total."""

_allowing = threading.Lock()
"""torch keeps the allowed names in one list for the whole process."""

_CALLS = {"GLOBAL", "REDUCE", "NEWOBJ", "BUILD"}


class Inert:
    """Replaces, in a loaded checkpoint, an object, a class or a function that is neither a tensor nor a plain value.

    Its arguments and its state in the file are dropped.
    """

    def __new__(cls, *arguments: Any, **named: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def load_checkpoint(file: str | Path, *, map_location: Any = "cpu") -> Any:
    """What `torch.save` wrote to `file`: tensors, numbers, strings and containers; for anything else an `Inert` object.

    Checkpoints of the field contain classes of their code base beside the weights. Such a class is never imported and
    nothing that a file names is called: torch's own restricted reader (`torch.load(weights_only=True)`) puts an `Inert`
    in place of every name that it does not know. A safetensors file is read too.

    Raises `WeightsError` if the file is absent, truncated, not a checkpoint, or names something that only an attack
    would.
    """
    file = Path(file)
    found = _recognised(file)
    if found.family == "safetensors":
        return _load_safetensors(file, map_location)
    import torch

    names, calls = _names(file)
    if len(names) > MOST_NAMES or len(names) * calls > MOST_LOOKS:
        raise WeightsError(
            f"checkpoint {file} is not loaded: besides tensors it names {len(names)} classes and functions, in {calls} "
            "places, more than weights need; save only its state_dict"
        )
    try:
        with _allowing, _quiet(), torch.serialization.safe_globals([(Inert, name) for name in sorted(names)]):
            return torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # damage causes RuntimeError, EOFError, KeyError, ... in the reader
        raise _unreadable(file, error, names) from error


def _recognised(file: Path) -> _format.Format:
    """The format of a weights file. Raises `WeightsError` for any other file, saying what it is."""
    if file.is_dir():
        raise WeightsError(f"checkpoint {file} is a directory, not a file; give a file that torch.save wrote")
    if not file.exists():
        raise WeightsError(f"checkpoint {file} does not exist")
    if not file.is_file():
        raise WeightsError(f"checkpoint {file} is a pipe or a device, not a file; give a file that torch.save wrote")
    try:
        found = _format.format_of(file)
    except OSError as error:
        raise WeightsError(f"checkpoint {file} cannot be read: {error.strerror or error}") from error
    if found.whole is False:
        raise WeightsError(
            f"checkpoint {file} is truncated or not a PyTorch checkpoint: it begins like {found.name}, but does not "
            "end like one; give another, or fetch it again"
        )
    if found.family not in ("torch", "safetensors"):
        raise WeightsError(f"checkpoint {file} is not a PyTorch checkpoint: it is {found.name}; {found.way_out}")
    return found


def _load_safetensors(file: Path, map_location: Any) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise WeightsError(
            f"checkpoint {file} is a safetensors file, which is read with the Python package safetensors; run "
            "`pip install safetensors`"
        ) from error
    try:
        return load_file(file, device=str(map_location))
    except Exception as error:  # SafetensorError, and torch's for a type that it does not know
        raise WeightsError(
            f"checkpoint {file} is damaged ({_cause(error)}); give another, or fetch it again"
        ) from error


def _names(file: Path) -> tuple[set[str], int]:
    """The classes and functions that a checkpoint's pickles name, except those that the process allows, and how many
    operations use a name.

    The pickles are parsed, not run. Of a damaged one: what precedes the damage.
    """
    names: set[str] = set()
    calls = 0
    for operation, argument, _ in _operations(file):
        if operation.name in _CALLS:
            calls += 1
        if operation.name == "GLOBAL":
            names |= _full_names(*str(argument).split(" ", 1))
            if len(names) > 2 * MOST_NAMES:
                break
    return names - _allowed(), calls


def _operations(file: Path) -> Iterator[tuple[Any, Any, Any]]:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                name = next(name for name in archive.namelist() if name.partition("/")[2] == "data.pkl")
                with archive.open(name) as entry:
                    yield from pickletools.genops(io.BufferedReader(entry))  # type: ignore[type-var]
            return
        with open(file, "rb") as opened:
            for _ in range(5):  # magic number, version of the format, machine, content, names of the storages
                yield from pickletools.genops(opened)
    except Exception:  # noqa: BLE001  torch's reader meets the same error, and reports it
        return


def _full_names(module: str, name: str = "") -> set[str]:
    """The full name of a GLOBAL, as written and as Python 3 calls what has that name in Python 2: torch's reader
    replaces some of them.
    """
    now = NAME_MAPPING.get((module, name)) or (IMPORT_MAPPING.get(module, module), name)
    return {f"{module}.{name}", ".".join(now)}


def _allowed() -> set[str]:
    """The names that this process allows torch's reader to use."""
    import torch

    allowed = torch.serialization.get_safe_globals()
    return {each[1] if isinstance(each, tuple) else f"{each.__module__}.{each.__qualname__}" for each in allowed}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's warnings about a file's format, which are for its author."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _unreadable(file: Path, error: Exception, names: set[str]) -> WeightsError:
    blocked = re.search(r"unsupported GLOBAL (\S+) whose module \S+ is blocked", str(error))
    if blocked:
        return WeightsError(
            f"checkpoint {file} is not loaded: it names {blocked[1]}, which weights do not need; get it elsewhere"
        )
    if re.search(r"Can only (SETITEM|append|extend)", str(error), re.IGNORECASE):
        return WeightsError(
            f"checkpoint {file} is not loaded: besides tensors it contains a dict or a list of a class of its own, "
            "which cannot be read without that class; save only its state_dict"
        )
    if isinstance(error, pickle.UnpicklingError) and any(name.startswith("torch.nn.modules.") for name in names):
        return WeightsError(
            f"checkpoint {file} contains a whole network, pickled with its classes, which are not run here; save only "
            "its state_dict(), with its code installed"
        )
    operand = re.search(r"Unsupported operand (\d+)", str(error))
    if operand:
        return WeightsError(
            f"checkpoint {file} is not loaded: its pickle is not of protocol 2, which torch.save writes (operation "
            f"{operand[1]}); save it with torch.save and its default pickle_protocol"
        )
    return WeightsError(
        f"checkpoint {file} is truncated or not a PyTorch checkpoint ({_cause(error)}); give another, or fetch it again"
    )


def _cause(error: Exception) -> str:
    """torch's message, without its advice to trust the file or to file an issue."""
    text = re.split(r"WeightsUnpickler error:", str(error))[-1]
    advice = r"Weights only load failed|file an issue|report a bug|Check the documentation|weights_only|you trust"
    lines = [line.strip() for line in text.splitlines() if line.strip() and not re.search(advice, line)]
    return (lines[0] if lines else type(error).__name__)[:200]
