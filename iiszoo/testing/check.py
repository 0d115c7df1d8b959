"""A check: a promise of the standard format, the defect that breaks it, and where to look for the defect."""

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
    """Raised by a check: what was found instead of what it promises."""


class Raised(Broken):
    """What a model raised, or returned in place of an output; it says where to look, so the check does not."""


class NotApplicable(Exception):
    """Raised by a check that does not concern this model, or cannot run here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One named check.

    `promise` is a clause that holds for every sound model, `catches` the common defect that breaks it, `look` where to
    find that defect. Tier 1 holds for any model, even with untrained weights; tier 2 needs meaningful weights. `after`
    names the checks without which this one is meaningless: if one of those has not passed, it is skipped.
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
    """The outcome of a check: `message` is empty if it passed, else the failure, or why it was skipped."""

    check: str
    tier: int
    status: Status
    message: str
    seconds: float


CHECKS: dict[str, Check] = {}
"""Every check by name, in running order; filled by `iiszoo.testing._checks`."""


def check(
    promise: str, *, catches: str, look: str, tier: Literal[1, 2] = 1, after: tuple[str, ...] = ("output_format",)
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Register the decorated `function(subject)` under its own name; it raises `Broken` or `NotApplicable`."""

    def register(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        name = function.__name__
        CHECKS[name] = Check(name, promise, catches, look, tier, after, function)
        return function

    return register
