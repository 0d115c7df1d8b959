"""Errors for users: each is one sentence that names the thing, the cause and what to do.

The command line prints the sentence and exits with 2; Python callers catch `IISZooError` or one of its kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from iiszoo.file_names import printable
from iiszoo.tracebacks import place_of


class IISZooError(Exception):
    """The base of every error meant for users. Its text is printable, whatever file name it contains."""

    def __str__(self) -> str:
        return printable(super().__str__())


class UnknownId(IISZooError):
    """No model, dataset, robot or evaluation protocol has this id."""


class BadOption(IISZooError):
    """An argument that cannot be used: a value out of range, an absent device, a module that fails to import."""


class PluginError(IISZooError):
    """A plugin is broken, or the requested thing belongs to a broken plugin; `__cause__` is the plugin's own error."""


class WeightsError(IISZooError):
    """A weights file is missing, could not be fetched, or is not the file that its card describes."""


class DatasetError(IISZooError):
    """A dataset is missing, laid out wrongly, or contains files that cannot be used."""


class UpstreamError(IISZooError):
    """A repository cannot be cloned, its files are not those of its commit, or its code cannot be used."""


class RunError(IISZooError):
    """A run directory cannot be used: made with another evaluation protocol, model, weights or dataset, in use, or
    damaged.
    """


class RobotError(IISZooError):
    """A robot raised; the message names the robot and the sample."""


class ModelError(IISZooError):
    """A model raised, or its output breaks the standard format; the message names the model and the sample."""


class WorkerLost(RunError):
    """A model's process (`iiszoo.remote`) died and a restart would not help: no sample is at fault, the run ends."""


class WorkerDied(ModelError):
    """The process that a model runs in (`iiszoo.remote`) died or did not answer in time; a new one replaces it."""


TEXT_LIMIT = 500
"""Characters of an exception's text that a message, a result or a table repeats."""


def text_of(error: BaseException, limit: int = TEXT_LIMIT) -> str:
    """An exception's text on one line, at most about `limit` characters, without control characters.

    Never raises, although the `str()` of a model's or plugin's exception may raise, or return something that is not a
    string.
    """
    try:
        text = str.__str__(str(error))
        words = " ".join(text[: 4 * limit].split())
    except KeyboardInterrupt:
        raise
    except BaseException as second:  # noqa: BLE001  see above
        return f"(no text: its str() raises {type(second).__name__})"
    shown = words[:limit]
    left = len(text) - len(text[: 4 * limit]) + len(words) - len(shown)
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
    return f"{shown} ... ({left:,} more characters)" if left else shown


def one_line(error: BaseException) -> str:
    """`ValueError: its text` (as `text_of`), for use within a sentence."""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def with_place(error: BaseException, where: str = "") -> str:
    """`ValueError: its text (mine/model.py:41, in forward; on sample 'x')`: what foreign code raised, its place there
    (`iiszoo.tracebacks.place_of`), and `where` else it happened.
    """
    sentence, place = one_line(error), place_of(error)
    if place and isinstance(error, SyntaxError):  # its text ends with a place, too, but without the directory
        sentence = re.sub(r" \([^()]*, line \d+\)$", "", sentence)
    known = "; ".join(filter(None, (place, where)))
    return f"{sentence} ({known})" if known else sentence


def few(things: Sequence[object], most: int = 3) -> str:
    """The first of some things, for use within a sentence: `a, b, c, ...`."""
    return ", ".join(map(str, things[:most])) + (", ..." if len(things) > most else "")


@contextmanager
def raised_as(kind: type[IISZooError], what: str) -> Iterator[None]:
    """Turn anything that a plugin's or the user's code raises inside into an error of `kind`, except Ctrl-C.

    The message says `what` failed, and where in that code.
    """
    try:
        yield
    except (KeyboardInterrupt, IISZooError):
        raise
    except BaseException as error:
        raise kind(f"{what}: {with_place(error)}") from error
