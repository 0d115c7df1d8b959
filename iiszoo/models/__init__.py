"""Models that need no upstream code: the weight-free `classic` family, and predictor parts shared by families.

`progressive_merge` protects what a click does not touch; `ProgressiveMerge` adds it to any model. Nothing heavy is
imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {"ProgressiveMerge": "iiszoo.models.merge", "progressive_merge": "iiszoo.models.merge"}

__all__ = ["ProgressiveMerge", "progressive_merge"]

if TYPE_CHECKING:
    from iiszoo.models.merge import ProgressiveMerge as ProgressiveMerge
    from iiszoo.models.merge import progressive_merge as progressive_merge


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'iiszoo.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
