"""A run spread over processes, each with one torch thread, its own model and its own images.

Every worker talks to the parent over one pipe: it requests the next image's samples and returns each trace as its
session ends. A worker that loses its parent exits. A worker that dies ends the run, with an error that names it; every
trace returned before is kept.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Held, Job, interpreter_of, pickled, portable, unpickled
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, IISZooError, RunError, with_place

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.runs.provenance import Elsewhere


@dataclass(eq=False)
class Processes:
    """Runs jobs in `n_workers` processes, started for each. Raises `BadOption` for an invalid number.

    Beside what the jobs raise, `run` raises `RunError` if a worker dies.
    """

    n_workers: int
    _held: Held = field(default_factory=Held)
    threads = 1
    here = True

    def __post_init__(self) -> None:
        if self.n_workers < 1:
            raise BadOption(f"the number of workers must be at least 1, not {self.n_workers}")

    def prepare(self, job: Job, dataset: EvaluationDataset) -> Elsewhere:
        check_portable(job)
        return interpreter_of(self._held.model(job))  # a failure to load is reported before anything runs

    def run(self, job: Job, groups: Sequence[list[int]], emit: Emit) -> None:
        self._held = Held()  # the workers need its memory
        job.robot.release()
        run(job, groups, emit, self.n_workers)


_NAME = "iiszoo-worker"
_NO_GUARD = 77
"""Exit code of a worker that reaches the call of `bench` while it imports the user's script."""


def refuse_unguarded() -> None:
    """Exit, or raise `BadOption`, if this call runs because a starting process imports the user's script."""
    process = current_process()
    if not getattr(process, "_inheriting", False):
        return
    if process.name.startswith(_NAME):
        os._exit(_NO_GUARD)  # the parent reports the fault, once for all workers
    raise BadOption(f"iiszoo.bench is called while a new process imports {_script()}; {_GUARD}")


_GUARD = 'put the call under `if __name__ == "__main__":`, or use one worker'


def _script() -> str:
    return f"the script {_main_file()}" if _main_file() else "the main program"


def _main_file() -> str | None:
    """The main program's file, which each worker imports; None if interactive or `-c`; `<stdin>` for a pipe."""
    file: str | None = getattr(sys.modules.get("__main__"), "__file__", None)
    return file


def check_portable(job: Job) -> bytes:
    """The job as it is sent to other processes. Raises `BadOption` if it cannot be sent, or not be found there."""
    sent, of_main_program = pickled(job)
    file = _main_file()
    if file is not None and not Path(file).exists():
        raise BadOption(
            f"workers import the main program again, but there is no file {file}: a program on standard input, or one "
            "that was moved, cannot start them; save it in a file and run that, or use one worker"
        )
    if of_main_program is not None and file is None:
        raise BadOption(
            f"{of_main_program} is defined in an interactive session or by python -c, where workers cannot find it; "
            "save it in a file, such as slow.py, and name the model as 'slow:"
            f"{of_main_program.partition('.')[0]}', or use one worker"
        )
    return sent


def run(job: Job, groups: Sequence[list[int]], emit: Emit, workers: int) -> None:
    """Spread `groups` over `workers` processes; `emit` is called in this process, for each trace as it arrives.

    Raises what a worker raises, and `RunError` if a worker dies.
    """
    sent = check_portable(job)
    context = get_context("spawn")  # forking a process that has run torch threads can hang
    left = iter(groups)
    crew: dict[Connection, BaseProcess] = {}
    try:
        for number in range(min(workers, len(groups))):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work, args=(theirs, sent), name=f"{_NAME}-{number + 1}", daemon=True
            )
            with _ignoring_interrupts():
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
def _ignoring_interrupts() -> Iterator[None]:
    """A process started inside ignores Ctrl-C for good: its parent handles it and ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a signal handler
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(
    crew: dict[Connection, BaseProcess], left: Iterator[list[int]], share: int, emit: Callable[[Trace], None]
) -> None:
    """Hand out images on request, at most `share` to each worker: otherwise one that reads far ahead, for a large
    batch, would take all.
    """
    open_pipes = dict(crew)
    at_work: set[Connection] = set()
    taken = dict.fromkeys(crew, 0)
    while open_pipes:
        for pipe in wait(list(open_pipes)):
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
                at_work.add(pipe)
                if kind == "next":
                    pipe.send(next(left, None) if taken[pipe] < share else None)
                    taken[pipe] += 1
            except (EOFError, OSError):
                process = open_pipes.pop(pipe)
                process.join()
                raise _death(process.name, process.exitcode or 0, at_work=pipe in at_work) from None
            if kind == "trace":
                emit(value)
            elif kind == "error":
                error, there = value
                raise error from there
            elif kind == "done":
                open_pipes.pop(pipe).join()


def _death(name: str, code: int, *, at_work: bool) -> IISZooError:
    """The error for a worker that ended with exit code `code`; `at_work`: after it had begun to work."""
    if code == _NO_GUARD:
        return BadOption(
            f"iiszoo.bench starts workers, and each imports {_script()}, which calls iiszoo.bench again; {_GUARD}"
        )
    if code >= 0 and not at_work:
        return RunError(
            f"{name} ended (exit code {code}) before it began to work: every worker imports {_script()}; put what that "
            f'runs on import under `if __name__ == "__main__":`, or use one worker'
        )
    if code == -signal.SIGKILL:
        cause, remedy = "; -9 often means out of memory", ", with fewer --workers or a smaller --batch-size"
    elif code < 0:
        cause, remedy = "; code of the model or of a library crashed", "; debug it with --workers 1"
    else:
        cause, remedy = "; the model or a library ended the process", "; debug it with --workers 1"
    return RunError(
        f"{name} died (exit code {code}{cause}); finished samples are kept: run the same command again (without "
        f"--overwrite){remedy}"
    )


def _work(pipe: Connection, sent: bytes) -> None:
    talking = threading.Lock()

    def send(kind: str, value: Any = None) -> None:
        with talking, _without_parent():
            pipe.send((kind, value))

    def groups() -> Iterator[list[int]]:
        while True:
            send("next")
            with _without_parent():
                group = pipe.recv()
            if group is None:
                return
            yield group

    try:
        send("begun")
        job = unpickled(sent)
        import cv2
        import torch

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        model, samples = job.load_model(), job.samples_of(job.load_dataset())
        job.run(model, samples, groups(), lambda trace: send("trace", trace))
        send("done")
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
