"""A run spread over processes, each with one torch thread, its own model and its own images.

Every worker talks to the parent over one pipe: it asks for the next image's samples and hands back each trace as its
session ends. A worker that loses its parent ends by itself; a worker that dies is named, and ends the run with every
trace kept that was handed back.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.clicking.loading import load_robot
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.trace import Trace
from iiszoo.errors import BadOption, IISZooError, RunError
from iiszoo.loading import load_dataset
from iiszoo.model_reference import ModelReference

if TYPE_CHECKING:
    from iiszoo.protocol import Model


@dataclass(frozen=True)
class Job:
    """All that a process needs to run sessions."""

    model: ModelReference
    device: str
    dataset: str
    root: Path | None
    rules: ResolvedProtocol
    batch_size: int
    keep_going: bool

    def load_model(self) -> Model:
        """The model on its device, for the threshold of the run. Raises an `IISZooError`."""
        return self.model.load(self.device, self.rules.threshold)

    def run(self, model: Model, dataset: Any, groups: Iterator[list[int]], emit: Callable[[Trace], None]) -> None:
        """Run every sample of `groups` in this process."""
        from iiszoo.engine import pipeline

        pipeline.run(
            model,
            load_robot(self.rules.robot),
            dataset,
            groups,
            self.rules,
            emit,
            batch_size=self.batch_size,
            keep_going=self.keep_going,
        )


def check_portable(job: Job) -> None:
    """Raise `BadOption` unless the job can be sent to another process."""
    try:
        pickle.dumps(job)
    except Exception as error:
        raise BadOption(
            f"a model that is an object of this process cannot be sent to workers ({error}); use one worker, or name "
            "the model as 'module:function'"
        ) from error


def run(job: Job, groups: list[list[int]], emit: Callable[[Trace], None], workers: int) -> None:
    """Spread `groups` over `workers` processes; `emit` is called here, for each trace as it comes.

    Raises what a worker raised, and `RunError` where a worker died.
    """
    context = get_context("spawn")  # forking a process that has run torch threads can hang
    left = iter(groups)
    crew: dict[Connection, BaseProcess] = {}
    try:
        for number in range(min(workers, len(groups))):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work, args=(theirs, job), name=f"iiszoo-worker-{number + 1}", daemon=True
            )
            with _deaf_to_interrupts():
                process.start()
            theirs.close()
            crew[ours] = process
        _serve(crew, left, -(-len(groups) // workers), emit)
    finally:
        for process in crew.values():
            process.terminate()
        for process in crew.values():
            process.join()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process that is started in here ignores Ctrl-C for good: its parent hears it, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(
    crew: dict[Connection, BaseProcess], left: Iterator[list[int]], share: int, emit: Callable[[Trace], None]
) -> None:
    """Hand out images as they are asked for, `share` at most to each worker: one that reads far ahead, for a large
    batch, would else take all.
    """
    open_pipes = dict(crew)
    taken = dict.fromkeys(crew, 0)
    while open_pipes:
        for pipe in wait(list(open_pipes)):
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
                if kind == "next":
                    pipe.send(next(left, None) if taken[pipe] < share else None)
                    taken[pipe] += 1
            except (EOFError, OSError):
                process = open_pipes.pop(pipe)
                process.join()
                raise RunError(
                    f"{process.name} died (exit code {process.exitcode}; -9 is often a lack of memory); what was done "
                    "is kept: give the same command again (without --overwrite), with fewer --workers or a smaller "
                    "--batch-size"
                ) from None
            if kind == "trace":
                emit(value)
            elif kind == "error":
                raise value
            elif kind == "done":
                open_pipes.pop(pipe).join()


def _work(pipe: Connection, job: Job) -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    talking = threading.Lock()

    def tell(kind: str, value: Any = None) -> None:
        with talking:
            pipe.send((kind, value))

    def groups() -> Iterator[list[int]]:
        while True:
            tell("next")
            group = pipe.recv()
            if group is None:
                return
            yield group

    try:
        job.run(job.load_model(), load_dataset(job.dataset, job.root), groups(), lambda trace: tell("trace", trace))
        tell("done")
    except (EOFError, BrokenPipeError):
        os._exit(1)  # the parent is gone, so nobody waits for what is in flight
    except IISZooError as error:
        with suppress(OSError):
            tell("error", type(error)(str(error)))  # without a cause, which may not be picklable
