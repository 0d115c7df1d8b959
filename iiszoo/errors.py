"""What a user may see: each error is one sentence that names the thing, the cause and the way out.

The command line prints the sentence and exits with 2; Python callers catch `IISZooError` or one of its kinds.
"""

from __future__ import annotations

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


class WorkerDied(ModelError):
    """The process that a model runs in (`iiszoo.remote`) died, or did not answer in time; another takes its place."""


def one_line(error: BaseException) -> str:
    """`ValueError: what it says`, on one line, to stand within a sentence."""
    return f"{type(error).__name__}: {printable(' '.join(str(error).split()))}"
