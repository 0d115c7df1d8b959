"""Running the checks on a model, all or one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

from iiszoo.model_reference import CardReference, resolve
from iiszoo.object_path import is_function
from iiszoo.testing.check import CHECKS, Broken, Check, CheckFailed, NotApplicable, Outcome, Raised, Status
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
    subject = subject_of(model, checkpoint=checkpoint, trained=trained, tolerance=tolerance, timeout=timeout)
    for name in CHECKS:
        yield name, partial(_check, subject, name)


def outcomes(subject: Subject) -> Iterator[Outcome]:
    """The outcome of every check, in order, each as soon as it is known; a failure raises nothing."""
    for name in CHECKS:
        yield outcome(subject, name)


def outcome(subject: Subject, name: str) -> Outcome:
    """The outcome of one check, after those that it depends on; each runs once."""
    if name not in subject.outcomes:
        began = time.perf_counter()
        status, message = _made(subject, CHECKS[name])
        subject.outcomes[name] = Outcome(name, CHECKS[name].tier, status, message, time.perf_counter() - began)
    return subject.outcomes[name]


def _made(subject: Subject, check: Check) -> tuple[Status, str]:
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
    except BaseException as error:  # noqa: BLE001  a model may raise anything, SystemExit too
        return "failed", _sentence(subject, check, broken_by(error))
    return "passed", ""


def _sentence(subject: Subject, check: Check, found: Broken) -> str:
    sentence = f"model {subject.name} fails {check.name}: {check.promise}, but {found}"
    return sentence if isinstance(found, Raised) else f"{sentence}; look at {check.look}"


def _check(subject: Subject, name: str) -> str | None:
    came = outcome(subject, name)
    if came.status == "failed":
        raise CheckFailed(came.message)
    return came.message or None
