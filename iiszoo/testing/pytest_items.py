"""The checks as pytest tests, one item per check. Nothing is registered with pytest: a plugin's tests import this
module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import pytest

from iiszoo import registry
from iiszoo.data.base import EvaluationDataset
from iiszoo.errors import BadOption, UnknownId
from iiszoo.plugins import Kind
from iiszoo.protocol import Robot
from iiszoo.testing.check import CHECKS_OF, Checked, CheckFailed
from iiszoo.testing.conformance import TIMEOUT, dataset_subject_of, outcome, robot_subject_of, subject_of
from iiszoo.testing.subject import ModelOrFactory


class Item:
    """One check of one subject, called by the test that it is a parameter of: passes, skips with a reason, or fails."""

    running: Checked | None = None
    """The subject whose checks run now: only one model stays loaded."""

    def __init__(self, subject: Checked, check: str) -> None:
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
    several = [models] if isinstance(models, str) or callable(models) else models
    subjects = [
        subject_of(model, checkpoint=checkpoint, trained=trained, tolerance=tolerance, timeout=timeout)
        for given in several
        for model in _matching("model", given)
    ]
    return _items("model", subjects, expected_failures)


def parametrize_dataset_checks(
    datasets: str | EvaluationDataset | Iterable[str | EvaluationDataset],
    *,
    expected_failures: Mapping[str, str] | None = None,
    root: str | Path | None = None,
    timeout: float = TIMEOUT,
) -> pytest.MarkDecorator:
    """`parametrize_checks` for datasets: ids, patterns of ids (`"mine-*"`), loaded datasets, or several of these.

    `root`, `timeout`: as for `iiszoo.testing.dataset_checks`.
    """
    several = [datasets] if isinstance(datasets, str | EvaluationDataset) else datasets
    subjects = [
        dataset_subject_of(dataset, root=root, timeout=timeout)
        for given in several
        for dataset in _matching("dataset", given)
    ]
    return _items("dataset", subjects, expected_failures)


def parametrize_robot_checks(
    robots: str | Robot | Iterable[str | Robot],
    *,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> pytest.MarkDecorator:
    """`parametrize_checks` for robots: ids, patterns of ids (`"mine-*"`), robots, or several of these.

    `timeout`: as for `iiszoo.testing.robot_checks`.
    """
    several = [robots] if isinstance(robots, str) or callable(robots) else robots
    subjects = [robot_subject_of(robot, timeout=timeout) for given in several for robot in _matching("robot", given)]
    return _items("robot", subjects, expected_failures)


def _items(
    kind: Kind, subjects: Sequence[Checked], expected_failures: Mapping[str, str] | None
) -> pytest.MarkDecorator:
    """Raises `BadOption` for an expected failure without a reason, or of a check that this kind does not have."""
    checks, expected = CHECKS_OF[kind], dict(expected_failures or {})
    for name, reason in expected.items():
        if name not in checks:
            raise BadOption(
                f"expected_failures names {name!r}, which is not a check; the checks are {', '.join(checks)}"
            )
        if not reason.strip():
            raise BadOption(f"expected_failures gives no reason for {name}; say why the {kind} fails it")
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
            for name in checks
        ],
    )


Given = TypeVar("Given", ModelOrFactory, str | EvaluationDataset, str | Robot)


def _matching(kind: Kind, given: Given) -> list[Given]:
    """The ids that a pattern matches; anything else stands for itself."""
    if not isinstance(given, str) or "*" not in given:  # "?" begins a name's options
        return [given]
    shelf = getattr(registry.registry(), f"{kind}s")
    found = [card.id for card in shelf.cards() if fnmatchcase(card.id, given)]
    if not found:
        raise UnknownId(f"no {kind}'s id matches {given!r}; `iiszoo list {kind}s` shows what is installed")
    return found
