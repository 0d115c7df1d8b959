"""A worker: a process that runs sessions of one job, and speaks with its parent over a pipe.

It says `begun`, `idle` when it waits for a group, `next` when its sessions could go on with another one, `trace` as a
session ends, and `error`. The parent answers `idle` with a group, or with None to end it, and `next` with a group, or
with None: then it finishes what it has, and is `idle` again. A worker that loses its parent exits.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from multiprocessing.connection import Connection
from typing import Any

from iiszoo.engine.executors.job import portable, unpickled
from iiszoo.errors import IISZooError, RunError, with_place


def work(pipe: Connection, sent: bytes) -> None:
    """The worker's life; `sent` is the job as `check_portable` returns it."""
    talking = threading.Lock()

    def send(kind: str, value: Any = None) -> None:
        with talking, _without_parent():
            pipe.send((kind, value))

    def ask(kind: str) -> list[int] | None:
        send(kind)
        with _without_parent():
            group: list[int] | None = pipe.recv()
        return group

    def groups(first: list[int]) -> Iterator[list[int]]:
        group: list[int] | None = first
        while group is not None:
            yield group
            group = ask("next")

    try:
        send("begun")
        job = unpickled(sent)
        import cv2
        import torch

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        model, samples = job.load_model(), job.samples_of(job.load_dataset())
        while (first := ask("idle")) is not None:
            job.run(model, samples, groups(first), lambda trace: send("trace", trace))
    except IISZooError as error:
        send("error", portable(error))
    except BaseException as error:  # noqa: BLE001  a bug in iiszoo or a model's KeyboardInterrupt: the parent ends
        traceback.print_exc()
        ended = RunError(f"{current_process().name} ended: {with_place(error)}; its traceback is above")
        ended.__cause__ = error
        send("error", portable(ended))


@contextmanager
def _without_parent() -> Iterator[None]:
    """Exit if the parent is gone: nothing waits for the sessions in flight."""
    try:
        yield
    except (EOFError, OSError):
        os._exit(1)
