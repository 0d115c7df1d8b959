"""A robot's first turn, taken once beside the loading of a model: what is compiled for it is then ready.

On a new machine the compiler works for several seconds, much of them without Python's lock. The machine code is kept
(`iiszoo.compiled`), so later this takes milliseconds.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np

from iiszoo import protocol
from iiszoo.clicking.robots import ritm
from iiszoo.engine import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iiszoo.data.base import Sample


def compile_beside(dataset: Sequence[Sample]) -> Thread:
    """Compile scores and `ritm`, on whose search most robots rest, for the dataset's first sample, in a thread that has
    been started. Nothing is raised: what is wrong with the dataset its check tells.
    """
    thread = Thread(target=_first_turn, args=(dataset,), name="compile")  # not a daemon: the compiler must end first
    thread.start()
    return thread


def _first_turn(dataset: Sequence[Sample]) -> None:
    with suppress(Exception):
        object, ignore = dataset[0].read_target()
        output = np.zeros(object.shape, np.float32)
        metrics.score(output, metrics.prepare(object, ignore))
        ignored = None if ignore is None else protocol.to_targets(ignore)
        ritm(protocol.to_output(output), protocol.to_targets(object), [], [], ignore=ignored)
