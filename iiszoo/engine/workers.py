"""A run spread over processes, each with one torch thread, its own model and its own images.

Every worker talks to the parent over one pipe: it asks for the next image's samples and hands back each trace as its
session ends. A worker that loses its parent ends by itself; a worker that dies is named, and ends the run with every
trace kept that was handed back.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.trace import Trace
from iiszoo.errors import BadOption, IISZooError, RunError


@dataclass(frozen=True)
class Job:
    """All that a process needs to run sessions. `model` must be picklable where it is not an id."""

    model: str | Callable[..., Any]
    checkpoint: Path | None
    device: str
    options: dict[str, Any]
    dataset: str
    root: Path | None
    rules: EvaluationProtocol
    batch_size: int
    keep_going: bool

    def run(self, groups: Iterator[list[int]], emit: Callable[[Trace], None], dataset: Any = None) -> None:
        """Load model and robot (and the dataset where none is given) and run every sample of `groups`."""
        from iiszoo.engine import pipeline
        from iiszoo.registry import load_dataset, load_model, load_robot

        pipeline.run(
            load_model(self.model, self.checkpoint, self.device, **self.options),
            load_robot(self.rules.robot),
            load_dataset(self.dataset, self.root) if dataset is None else dataset,
            groups,
            self.rules,
            emit,
            batch_size=self.batch_size,
            keep_going=self.keep_going,
        )


def run(job: Job, groups: list[list[int]], emit: Callable[[Trace], None], workers: int) -> None:
    """Spread `groups` over `workers` processes; `emit` is called here, for each trace as it comes.

    Raises what a worker raised, and `RunError` where a worker died.
    """
    try:
        pickle.dumps(job)
    except Exception as error:
        raise BadOption(
            f"a model that is an object of this process cannot be sent to workers ({error}); use workers=1, or name it "
            "as 'module:function'"
        ) from error
    context = get_context("spawn")  # forking a process that has run torch threads can hang
    left = iter(groups)
    crew: dict[Connection, BaseProcess] = {}
    try:
        for number in range(min(workers, len(groups))):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work, args=(theirs, job), name=f"iiszoo-worker-{number + 1}", daemon=True
            )
            process.start()
            theirs.close()
            crew[ours] = process
        _serve(crew, left, emit)
    finally:
        for process in crew.values():
            process.terminate()
        for process in crew.values():
            process.join()


def _serve(crew: dict[Connection, BaseProcess], left: Iterator[list[int]], emit: Callable[[Trace], None]) -> None:
    open_pipes = dict(crew)
    while open_pipes:
        for pipe in wait(list(open_pipes)):
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
            except EOFError:
                process = open_pipes.pop(pipe)
                process.join()
                raise RunError(
                    f"{process.name} died (exit code {process.exitcode}; -9 is often a lack of memory); what was done "
                    "is kept: give the same command again, with fewer --workers or a smaller --batch-size"
                ) from None
            if kind == "next":
                pipe.send(next(left, None))
            elif kind == "trace":
                emit(value)
            elif kind == "error":
                raise value
            else:
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
        job.run(groups(), lambda trace: tell("trace", trace))
        tell("done")
    except (EOFError, BrokenPipeError):
        os._exit(1)  # the parent is gone, so nobody waits for what is in flight
    except KeyboardInterrupt:
        pass  # the parent was interrupted too, and says so
    except IISZooError as error:
        with suppress(OSError):
            tell("error", type(error)(str(error)))  # without a cause, which may not be picklable
