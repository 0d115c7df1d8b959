"""A bare function of the standard format, by its import path or as itself."""

from __future__ import annotations

import importlib.util
import inspect
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.device import check_device
from iiszoo.errors import BadOption, ModelError, raised_as, with_place
from iiszoo.model_reference._loading import finished
from iiszoo.model_reference._reference import Identity
from iiszoo.model_reference._sha256 import sha256_of
from iiszoo.models.merge_rule import MERGE
from iiszoo.names import parse_name
from iiszoo.object_path import function_name, load_object
from iiszoo.progress import NamedProgress

if TYPE_CHECKING:
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class FunctionReference:
    """A function of the standard format, `"module:function"` or the object itself, and how its outputs are merged."""

    function: str | Callable[..., Any]
    merge: Any = None

    @property
    def name(self) -> str:
        return str(parse_name(function_name(self.function)).with_options(self._options()))

    @property
    def threshold(self) -> float:
        return 0.5

    def identity(self) -> Identity:
        """A function that can be imported by name is identified by the hash of the file that defines it; any other only
        by the object itself, so that no later process reuses its results.
        """
        return {"id": self.name, "code": _code_of(self.function), "options": self._options(), "weights": []}

    def fetch(self, fetching: NamedProgress | None = None) -> FunctionReference:
        return self

    def load(self, device: str = "cpu", threshold: float | None = None) -> Model:
        from iiszoo.protocol import as_model

        check_device(device)
        function = load_object(self.function) if isinstance(self.function, str) else self.function
        name = function_name(self.function)
        if inspect.isclass(function):
            with raised_as(ModelError, f"model {name} cannot be created"):
                function = function()
        if not callable(function):
            raise BadOption(f"{name} is not callable, so it cannot be a model")
        model = as_model(function, name=name, device=device)
        _ = model.ragged  # raises if the attribute cannot be read
        return finished(model, self.merge, threshold)

    def _options(self) -> dict[str, Any]:
        return {} if self.merge is None else {MERGE: self.merge}


def _code_of(function: str | Callable[..., Any]) -> str:
    module, _, attribute = function_name(function).partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the parent package is imported, and may raise anything
        if isinstance(function, str):
            raise BadOption(f"model {function!r} cannot be imported: {with_place(error)}") from error
        spec = None
    if isinstance(function, str) and spec is None:
        raise BadOption(f"model {function!r}: there is no module {module!r}; it must be importable from here")
    importable = isinstance(function, str) or getattr(sys.modules.get(module), attribute, None) is function
    if importable and spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        return f"sha256 {sha256_of(Path(spec.origin))}"
    return f"object {id(function)} of process {os.getpid()} on {platform.node()}"
