"""What a check is: a promise of the standard format, the defect that breaks it, and where to look for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from iiszoo.testing.subject import Subject

Status = Literal["passed", "failed", "skipped"]


class CheckFailed(AssertionError):
    """A model breaks a promise; the message says what was promised, what was found and where to look."""


class Broken(Exception):
    """Raised by a check: what was found in the place of what its promise says."""


class NotApplicable(Exception):
    """Raised by a check that does not concern this model, or cannot be made here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One named check.

    `promise` is a clause that holds for every sound model, `catches` the defect of the field that it is there for,
    `look` where that defect sits. Tier 1 holds for any model, with untrained weights too; tier 2 needs weights that
    mean something. `after` names the checks without which this one says nothing: where one of those has not passed, it
    is skipped.
    """

    name: str
    promise: str
    catches: str
    look: str
    tier: Literal[1, 2]
    after: tuple[str, ...]
    run: Callable[[Subject], None]


@dataclass(frozen=True)
class Outcome:
    """What came of a check: `message` is empty where it passed, else the failure, or why it was skipped."""

    check: str
    tier: int
    status: Status
    message: str
    seconds: float


CHECKS: dict[str, Check] = {}
"""Every check by name, in the order in which they run; filled by `iiszoo.testing._checks`."""


def check(
    promise: str, *, catches: str, look: str, tier: Literal[1, 2] = 1, after: tuple[str, ...] = ("output_format",)
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Register the decorated `function(subject)` under its own name; it raises `Broken` or `NotApplicable`."""

    def register(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        name = function.__name__
        CHECKS[name] = Check(name, promise, catches, look, tier, after, function)
        return function

    return register
