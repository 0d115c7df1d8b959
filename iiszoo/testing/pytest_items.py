"""The checks as pytest tests, one item per check. Nothing is registered with pytest: a plugin's tests import this
module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from iiszoo import registry
from iiszoo.errors import BadOption, UnknownId
from iiszoo.testing.check import CHECKS, CheckFailed
from iiszoo.testing.conformance import TIMEOUT, outcome, subject_of
from iiszoo.testing.subject import ModelOrFactory, Subject


class Item:
    """One check of one model, called by the test that it is a parameter of: passes, skips with a reason, or fails."""

    running: Subject | None = None
    """The subject whose checks run now: only one model stays loaded."""

    def __init__(self, subject: Subject, check: str) -> None:
        self.subject, self.check = subject, check

    def __call__(self) -> None:
        """Raises `CheckFailed`, or pytest's own exception for a skipped test."""
        if Item.running is not self.subject:
            if Item.running is not None:
                Item.running.release()
            Item.running = self.subject
        came = outcome(self.subject, self.check)
        if came.status == "skipped":
            pytest.skip(came.message)
        if came.status == "failed":
            raise CheckFailed(came.message)


def parametrize_checks(
    models: ModelOrFactory | Iterable[ModelOrFactory],
    *,
    expected_failures: Mapping[str, str] | None = None,
    checkpoint: str | Path | None = None,
    trained: bool | None = None,
    tolerance: float | None = None,
    timeout: float = TIMEOUT,
) -> pytest.MarkDecorator:
    """Parametrize a test function with `check`, once per check and model; the test must call it.

    Args:
        models: ids, patterns of ids (`"focalclick/*"`), `"module:function"`, models, factories (see
            `iiszoo.testing.checks`), or several of these.
        expected_failures: the names of checks that fail, each with the reason. They are strict xfails: one that passes
            fails the test, so that the list stays true.
        checkpoint, trained, tolerance, timeout: as for `iiszoo.testing.checks`.

    Raises `UnknownId` for an id or pattern that nothing matches, `BadOption` for an expected failure with an unknown
    name.
    """
    expected = dict(expected_failures or {})
    for name, reason in expected.items():
        if name not in CHECKS:
            raise BadOption(
                f"expected_failures names {name!r}, which is not a check; the checks are {', '.join(CHECKS)}"
            )
        if not reason.strip():
            raise BadOption(f"expected_failures gives no reason for {name}; say why the model fails it")
    several = [models] if isinstance(models, str) or callable(models) else models
    subjects = [
        subject_of(model, checkpoint=checkpoint, trained=trained, tolerance=tolerance, timeout=timeout)
        for given in several
        for model in _matching(given)
    ]
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                Item(subject, name),
                id=f"{subject.name}-{name}",
                marks=[pytest.mark.xfail(reason=expected[name], raises=CheckFailed, strict=True)]
                if name in expected
                else [],
            )
            for subject in subjects
            for name in CHECKS
        ],
    )


def _matching(given: ModelOrFactory) -> list[ModelOrFactory]:
    if not isinstance(given, str) or "*" not in given:  # "?" begins a name's options
        return [given]
    found: list[ModelOrFactory] = [
        card.id for card in registry.registry().models.cards() if fnmatchcase(card.id, given)
    ]
    if not found:
        raise UnknownId(f"no model's id matches {given!r}; `iiszoo list models` shows what is installed")
    return found
