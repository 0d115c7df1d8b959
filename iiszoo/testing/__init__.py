"""For tests of models, datasets and robots: the conformance kit, and synthetic weights.

    >>> @iiszoo.testing.parametrize_checks("classic/*", expected_failures={"many_clicks": "it reads 24 clicks at most"})
    ... def test_conformance(check):
    ...     check()

    >>> for name, check in iiszoo.testing.checks("classic/geocut"):
    ...     if name in ("card_complete", "loads"):  # or all of them
    ...         check()

`docs/conformance.md` lists the checks and the defect that each catches. This module imports neither torch nor pytest
until something of it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "CheckFailed": "iiszoo.testing.check",
    "checks": "iiszoo.testing.conformance",
    "dataset_checks": "iiszoo.testing.conformance",
    "fill": "iiszoo.models.synthetic_weights",
    "load_synthetic": "iiszoo.testing.synthetic_model",
    "parametrize_checks": "iiszoo.testing.pytest_items",
    "parametrize_dataset_checks": "iiszoo.testing.pytest_items",
    "parametrize_robot_checks": "iiszoo.testing.pytest_items",
    "robot_checks": "iiszoo.testing.conformance",
}

__all__ = [
    "CheckFailed",
    "checks",
    "dataset_checks",
    "fill",
    "load_synthetic",
    "parametrize_checks",
    "parametrize_dataset_checks",
    "parametrize_robot_checks",
    "robot_checks",
]

if TYPE_CHECKING:
    from iiszoo.models.synthetic_weights import fill as fill
    from iiszoo.testing.check import CheckFailed as CheckFailed
    from iiszoo.testing.conformance import checks as checks
    from iiszoo.testing.conformance import dataset_checks as dataset_checks
    from iiszoo.testing.conformance import robot_checks as robot_checks
    from iiszoo.testing.pytest_items import parametrize_checks as parametrize_checks
    from iiszoo.testing.pytest_items import parametrize_dataset_checks as parametrize_dataset_checks
    from iiszoo.testing.pytest_items import parametrize_robot_checks as parametrize_robot_checks
    from iiszoo.testing.synthetic_model import load_synthetic as load_synthetic


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'iiszoo.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
