"""A check: a promise of a model, dataset or robot, the defect that breaks it, and where to look for the defect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from iiszoo.cards import Card
from iiszoo.plugins import Kind

Status = Literal["passed", "failed", "skipped"]


class CheckFailed(AssertionError):
    """A model, dataset or robot breaks a promise: what was promised, what was found and where to look."""


class Broken(Exception):
    """Raised by a check: what was found instead of what it promises."""


class Raised(Broken):
    """What a subject raised, or returned in place of an output; it says where to look, so the check does not."""


class NotApplicable(Exception):
    """Raised by a check that does not concern this subject, or cannot run here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One named check.

    `promise` is a clause that holds for every sound subject, `catches` the common defect that breaks it, `look` where
    to find that defect. Tier 1 holds even for a model with untrained weights; tier 2 needs meaningful weights. `after`
    names the checks without which this one is meaningless: if one of those has not passed, it is skipped.
    """

    name: str
    promise: str
    catches: str
    look: str
    tier: Literal[1, 2]
    after: tuple[str, ...]
    run: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check: `message` is empty if it passed, else the failure, or why it was skipped."""

    check: str
    tier: int
    status: Status
    message: str
    seconds: float


class Checked(Protocol):
    """What is checked: a model (`Subject`), a dataset (`DatasetSubject`) or a robot (`RobotSubject`)."""

    outcomes: dict[str, Outcome]
    timeout: float

    @property
    def kind(self) -> Kind: ...
    @property
    def name(self) -> str: ...
    @property
    def card(self) -> Card | None:
        """None for a bare object."""

    @property
    def meaningful(self) -> bool:
        """Whether the checks of tier 2 apply."""

    def release(self) -> None:
        """Free what was loaded; the outcomes are kept."""


CHECKS: dict[str, Check] = {}
"""Every check of a model by name, in running order; filled by `iiszoo.testing._checks`, as are those below."""
DATASET_CHECKS: dict[str, Check] = {}
ROBOT_CHECKS: dict[str, Check] = {}
CHECKS_OF: dict[Kind, dict[str, Check]] = {"model": CHECKS, "dataset": DATASET_CHECKS, "robot": ROBOT_CHECKS}

SubjectType = TypeVar("SubjectType", bound=Checked)


def check(
    promise: str,
    *,
    catches: str,
    look: str,
    tier: Literal[1, 2] = 1,
    after: tuple[str, ...] = ("output_format",),
    of: tuple[Kind, ...] = ("model",),
) -> Callable[[Callable[[SubjectType], None]], Callable[[SubjectType], None]]:
    """Register the decorated `function(subject)` under its own name; it raises `Broken` or `NotApplicable`.

    `of`: the kinds of subject that it checks.
    """

    def register(function: Callable[[SubjectType], None]) -> Callable[[SubjectType], None]:
        name = function.__name__
        for kind in of:
            CHECKS_OF[kind][name] = Check(name, promise, catches, look, tier, after, function)
        return function

    return register
