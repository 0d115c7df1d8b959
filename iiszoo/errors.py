"""What a user may see: each error is one sentence that names the thing, the cause and the way out.

The command line prints the sentence and exits with 2; Python callers catch `IISZooError` or one of its kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from iiszoo.file_names import printable


class IISZooError(Exception):
    """The base of every error that is meant for a user's eyes. Its text is printable, whatever file it names."""

    def __str__(self) -> str:
        return printable(super().__str__())


class UnknownId(IISZooError):
    """No model, dataset, robot or protocol has this id."""


class BadOption(IISZooError):
    """An argument that cannot be used: a value out of range, a device that is absent, a module that fails to import."""


class PluginError(IISZooError):
    """A plugin is broken, or what was asked for belongs to a broken plugin; `__cause__` holds its own error."""


class WeightsError(IISZooError):
    """A weights file is missing, could not be fetched, or is not the file that its card describes."""


class DatasetError(IISZooError):
    """A dataset is missing, laid out wrongly, or holds files that cannot be used."""


class UpstreamError(IISZooError):
    """A repository cannot be cloned, its files are not those of its commit, or its code cannot be used."""


class RunError(IISZooError):
    """A run directory cannot be used: made by another protocol, model, weights or dataset, in use, or damaged."""


class RobotError(IISZooError):
    """A robot raised; the message names the robot and the sample."""


class ModelError(IISZooError):
    """A model raised, or its answer breaks the standard format; the message names the model and the sample."""


class WorkerLost(RunError):
    """A model's process (`iiszoo.remote`) died and another start would not help: no sample's fault, the run ends."""


class WorkerDied(ModelError):
    """The process that a model runs in (`iiszoo.remote`) died, or did not answer in time; another takes its place."""


TEXT_LIMIT = 500
"""So many characters of an exception's text are repeated in a message, a result or a table."""


def text_of(error: BaseException, limit: int = TEXT_LIMIT) -> str:
    """What an exception says, on one line, at most about `limit` characters, with nothing a terminal would obey.

    Never raises: code of others may raise exceptions whose own `str()` raises, or returns what is no text.
    """
    try:
        text = str.__str__(str(error))
        words = " ".join(text[: 4 * limit].split())
    except KeyboardInterrupt:
        raise
    except BaseException as second:  # noqa: BLE001  see above
        return f"(it cannot say what: its str() raises {type(second).__name__})"
    shown = words[:limit]
    left = len(text) - len(text[: 4 * limit]) + len(words) - len(shown)
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
    return f"{shown} ... ({left:,} more characters)" if left else shown


def one_line(error: BaseException) -> str:
    """`ValueError: what it says` (as `text_of`), to stand within a sentence."""
    said = text_of(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@contextmanager
def raised_as(kind: type[IISZooError], what: str) -> Iterator[None]:
    """Whatever the code of a plugin or of the user raises in here becomes an error of `kind`; Ctrl-C does not."""
    try:
        yield
    except (KeyboardInterrupt, IISZooError):
        raise
    except BaseException as error:
        raise kind(f"{what}: {one_line(error)}") from error
