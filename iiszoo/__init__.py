"""iiszoo: a plugin-based model zoo and benchmark for interactive image segmentation.

Nothing heavy is imported until it is used: `import iiszoo` alone imports neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOME = {
    "hookimpl": "iiszoo.hookspecs",
    "IISZooError": "iiszoo.errors",
    "Session": "iiszoo.engine.session",
    "as_model": "iiszoo.protocol",
    "bench": "iiszoo.engine.bench",
    "load_dataset": "iiszoo.loading",
    "load_model": "iiszoo.loading",
    "load_robot": "iiszoo.clicking.loading",
    "run_session": "iiszoo.engine.session",
    "segment": "iiszoo.engine.segment",
    "to_tensor": "iiszoo.protocol",
}

_PARTS = ("assets", "testing", "upstream")
"""Packages that `iiszoo.NAME` imports."""

__all__ = [
    "IISZooError",
    "Session",
    "__version__",
    "as_model",
    "bench",
    "hookimpl",
    "load_dataset",
    "load_model",
    "load_robot",
    "run_session",
    "segment",
    "to_tensor",
]

if TYPE_CHECKING:
    from iiszoo.clicking.loading import load_robot as load_robot
    from iiszoo.engine.bench import bench as bench
    from iiszoo.engine.segment import segment as segment
    from iiszoo.engine.session import Session as Session
    from iiszoo.engine.session import run_session as run_session
    from iiszoo.errors import IISZooError as IISZooError
    from iiszoo.hookspecs import hookimpl as hookimpl
    from iiszoo.loading import load_dataset as load_dataset
    from iiszoo.loading import load_model as load_model
    from iiszoo.protocol import as_model as as_model
    from iiszoo.protocol import to_tensor as to_tensor


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _PARTS:
        return import_module(f"iiszoo.{name}")
    raise AttributeError(f"module 'iiszoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_PARTS})
