"""Reading a checkpoint without trusting it."""

from __future__ import annotations

import pickle
import re
import threading
from pathlib import Path
from typing import Any

from iiszoo.errors import WeightsError

_allowing = threading.Lock()
"""torch keeps the names that a file may hold in one place for the whole process."""


class Inert:
    """What stands in a loaded checkpoint for an object, a class or a function that is neither tensor nor plain value.

    Whatever the file would have it made of or called with is dropped.
    """

    def __new__(cls, *arguments: Any, **named: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def load_checkpoint(file: str | Path, *, map_location: Any = "cpu") -> Any:
    """What `torch.save` wrote to `file`: tensors, numbers, strings and containers; for anything else an `Inert` object.

    Checkpoints of the field hold classes of their code base beside the weights. Such a class is never imported and
    nothing that a file names is called: torch's own restricted reader does the work (`torch.load(weights_only=True)`),
    and is told of each name that it does not know to put an `Inert` in its place.

    Raises `WeightsError` where the file is absent, truncated, no checkpoint, or names what only an attack would.
    """
    import torch

    unknown: set[str] = set()
    while True:
        try:
            allowed: list[Any] = [(Inert, name) for name in sorted(unknown)]
            with _allowing, torch.serialization.safe_globals(allowed):
                return torch.load(file, map_location=map_location, weights_only=True)
        except FileNotFoundError as error:
            raise WeightsError(f"checkpoint {file} does not exist") from error
        except pickle.UnpicklingError as error:
            name = _unknown_name(error)
            if name is None or name in unknown:
                raise _unreadable(file, error) from error
            unknown.add(name)
        except Exception as error:  # damage shows as RuntimeError, EOFError, KeyError, ... wherever the reader stumbles
            raise _unreadable(file, error) from error


def _unknown_name(error: pickle.UnpicklingError) -> str | None:
    """The name that torch's reader says it does not know, "package.module.name"; None where that is not the fault."""
    found = re.search(r"Unsupported global: GLOBAL (\S+) was not an allowed global", str(error))
    if found is None:
        return None
    return found[1] if "." in found[1] else f"builtins.{found[1]}"  # torch leaves that prefix out


def _unreadable(file: str | Path, error: Exception) -> WeightsError:
    blocked = re.search(r"unsupported GLOBAL (\S+) whose module \S+ is blocked", str(error))
    if blocked:
        return WeightsError(
            f"checkpoint {file} is not loaded: it names {blocked[1]}, which weights have no use for; get it elsewhere"
        )
    if re.search(r"Can only (SETITEM|append|extend)", str(error), re.IGNORECASE):
        return WeightsError(
            f"checkpoint {file} is not loaded: beside tensors it holds a dict or a list of a class of its own, which "
            "cannot be read without that class; save its state_dict alone"
        )
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Weights only load failed")]  # that line is advice
    cause = (said[0] if said else type(error).__name__)[:200]
    return WeightsError(
        f"checkpoint {file} is truncated or is no PyTorch checkpoint ({cause}); give another, or fetch it again"
    )
