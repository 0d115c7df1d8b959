"""Running the checks on a model, a dataset or a robot, all or one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

from iiszoo.data.base import EvaluationDataset
from iiszoo.model_reference import CardReference, resolve
from iiszoo.object_path import is_function
from iiszoo.protocol import Robot
from iiszoo.registry import resolve_dataset, resolve_robot
from iiszoo.testing.check import CHECKS_OF, Broken, Check, Checked, CheckFailed, NotApplicable, Outcome, Raised, Status
from iiszoo.testing.dataset_subject import DatasetSubject
from iiszoo.testing.robot_subject import RobotSubject
from iiszoo.testing.subject import ModelOrFactory, Origin, Subject, broken_by

import_module("iiszoo.testing._checks")  # registers the checks

TIMEOUT = 120.0


def subject_of(
    model: ModelOrFactory,
    *,
    checkpoint: str | Path | None = None,
    trained: bool | None = None,
    tolerance: float | None = None,
    timeout: float = TIMEOUT,
) -> Subject:
    """The model as `checks` takes it. Raises `UnknownId`, `PluginError` or `BadOption` for an id that cannot be
    used.
    """
    if isinstance(model, str) and not is_function(model):
        reference = resolve(model, checkpoint)
        if isinstance(reference, CardReference) and reference.options:
            reference.checked_options()
    return Subject(Origin(model, Path(checkpoint) if checkpoint else None), trained, tolerance, timeout)


def checks(
    model: ModelOrFactory,
    *,
    checkpoint: str | Path | None = None,
    trained: bool | None = None,
    tolerance: float | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Every check of a model, by name: `for name, check in checks(model): check()`.

    Args:
        model: an id, `"module:function"`, a callable of the standard format, or a factory, which returns one when
            called without arguments (with a card: `as_model(..., card=card)`); a factory may take `device`.
        checkpoint: a file of weights for an id, instead of the card's own.
        trained: whether the weights are meaningful, so that the checks of tier 2 apply; for an id True also fetches the
            card's weights. None: yes if the model has no weights to train.
        tolerance: the largest allowed difference in probability between outputs computed by different kernels: in a
            batch, a thread, another process. Twenty times that on CUDA. None: what the card states.
        timeout: seconds for one session in a thread or in another process, its start and loading included.

    A check returns None if it passes, or a sentence that says why it does not apply here. It raises `CheckFailed`.
    """
    return _each(subject_of(model, checkpoint=checkpoint, trained=trained, tolerance=tolerance, timeout=timeout))


def dataset_checks(
    dataset: str | EvaluationDataset, *, root: str | Path | None = None, timeout: float = TIMEOUT
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Every check of a dataset, by name, each as in `checks`.

    Args:
        dataset: an id, with its argument and options, or a loaded dataset.
        root: for an id, its directory, as for `iiszoo.load_dataset`.
        timeout: seconds for reading the examined samples in threads or in another process, its start included.
    """
    return _each(dataset_subject_of(dataset, root=root, timeout=timeout))


def robot_checks(robot: str | Robot, *, timeout: float = TIMEOUT) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Every check of a robot, by name, each as in `checks`.

    Args:
        robot: an id, with its argument, or a callable of the standard format.
        timeout: seconds for a turn in another process, its start included.
    """
    return _each(robot_subject_of(robot, timeout=timeout))


def dataset_subject_of(
    dataset: str | EvaluationDataset, *, root: str | Path | None = None, timeout: float = TIMEOUT
) -> DatasetSubject:
    """The dataset as `dataset_checks` takes it. Raises `UnknownId`, `PluginError` or `BadOption` for a name that cannot
    be used.
    """
    if isinstance(dataset, str):
        resolve_dataset(dataset)
    return DatasetSubject(dataset, Path(root) if root else None, timeout)


def robot_subject_of(robot: str | Robot, *, timeout: float = TIMEOUT) -> RobotSubject:
    """The robot as `robot_checks` takes it. Raises as `dataset_subject_of`."""
    if isinstance(robot, str):
        resolve_robot(robot)
    return RobotSubject(robot, timeout)


def _each(subject: Checked) -> Iterator[tuple[str, Callable[[], str | None]]]:
    return ((name, partial(_check, subject, name)) for name in CHECKS_OF[subject.kind])


def outcomes(subject: Checked) -> Iterator[Outcome]:
    """The outcome of every check, in order, each as soon as it is known; a failure raises nothing."""
    for name in CHECKS_OF[subject.kind]:
        yield outcome(subject, name)


def outcome(subject: Checked, name: str) -> Outcome:
    """The outcome of one check, after those that it depends on; each runs once."""
    if name not in subject.outcomes:
        began = time.perf_counter()
        check = CHECKS_OF[subject.kind][name]
        status, message = _made(subject, check)
        subject.outcomes[name] = Outcome(name, check.tier, status, message, time.perf_counter() - began)
    return subject.outcomes[name]


def _made(subject: Checked, check: Check) -> tuple[Status, str]:
    try:
        for name in check.after:
            earlier = outcome(subject, name)
            if earlier.status == "failed":
                raise NotApplicable(f"it is meaningless because {name} fails")
            if earlier.status == "skipped":
                raise NotApplicable(earlier.message)
        if check.tier == 2 and not subject.meaningful:
            raise NotApplicable("it needs meaningful weights: --weights (trained=True) says that they are")
        check.run(subject)
    except NotApplicable as reason:
        return "skipped", str(reason)
    except Broken as found:
        return "failed", _sentence(subject, check, found)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  foreign code may raise anything, SystemExit too
        return "failed", _sentence(subject, check, broken_by(error))
    return "passed", ""


def _sentence(subject: Checked, check: Check, found: Broken) -> str:
    sentence = f"{subject.kind} {subject.name} fails {check.name}: {check.promise}, but {found}"
    return sentence if isinstance(found, Raised) else f"{sentence}; look at {check.look}"


def _check(subject: Checked, name: str) -> str | None:
    came = outcome(subject, name)
    if came.status == "failed":
        raise CheckFailed(came.message)
    return came.message or None
