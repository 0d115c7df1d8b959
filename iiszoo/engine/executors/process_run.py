"""One job on processes of this machine: who does what, what arrives, and who is lost."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from iiszoo.engine.executors.dispatch import DEATHS_IN_A_ROW, Dispatch, lost_twice
from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Job
from iiszoo.engine.executors.main_program import GUARD, NO_GUARD, WORKER, check_portable, script
from iiszoo.engine.executors.process_worker import work
from iiszoo.errors import BadOption, RunError

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset

_log = logging.getLogger("iiszoo.engine")


@dataclass(eq=False)
class _Worker:
    """`begun`: it has imported the main program; `idle`: it waits for a group."""

    process: BaseProcess
    begun: bool = False
    idle: bool = False


class ProcessRun:
    """The samples of `groups`, run by up to `n_workers` processes; `samples` returns those that the groups count."""

    def __init__(
        self,
        job: Job,
        samples: Callable[[], EvaluationDataset],
        groups: Sequence[list[int]],
        emit: Emit,
        n_workers: int,
    ) -> None:
        self._sent = check_portable(job)
        self._samples, self._emit, self._n_workers = samples, emit, n_workers
        self._dispatch: Dispatch[Connection] = Dispatch(groups, 2 * job.batch_size)
        self._workers: dict[Connection, _Worker] = {}
        self._n_started = 0

    def run(self) -> None:
        """Run every sample. Raises what a worker raises, and as `Processes.run`."""
        try:
            while not self._dispatch.finished or self._workers:
                while len(self._workers) < min(self._n_workers, self._dispatch.n_groups):
                    self._start()
                for pipe in wait([*self._workers]):
                    assert isinstance(pipe, Connection)
                    self._hear(pipe)
                for pipe in [pipe for pipe, worker in self._workers.items() if worker.idle]:
                    self._occupy(pipe)
        finally:
            for worker in self._workers.values():
                worker.process.terminate()
            for worker in self._workers.values():
                worker.process.join()

    def _start(self) -> None:
        context = get_context("spawn")  # forking a process that has run torch threads can hang
        ours, theirs = context.Pipe()
        self._n_started += 1
        process: BaseProcess = context.Process(
            target=work, args=(theirs, self._sent), name=f"{WORKER}-{self._n_started}", daemon=True
        )
        with _ignoring_interrupts():
            process.start()
        theirs.close()
        self._workers[ours] = _Worker(process)
        self._dispatch.join(ours)

    def _hear(self, pipe: Connection) -> None:
        """What a worker says, or that it is gone."""
        worker = self._workers[pipe]
        said = None
        with suppress(EOFError, OSError):
            said = pipe.recv()
        if said is None:
            self._lost(pipe)
            return
        kind, value = said
        worker.begun = True
        if kind == "trace":
            self._dispatch.done(pipe, value.index)
            self._emit(value)
        elif kind == "next":
            groups = self._dispatch.give(pipe, 1).groups
            self._send(pipe, groups[0] if groups else None)
        elif kind == "idle":
            worker.idle = True
        elif kind == "error":
            error, there = value
            raise error from there

    def _occupy(self, pipe: Connection) -> None:
        """Give an idle worker a group, if there is one; once everything is done, let it end."""
        groups = self._dispatch.give(pipe, 1).groups
        if groups:
            self._workers[pipe].idle = False
            self._send(pipe, groups[0])
        elif self._dispatch.finished:
            self._send(pipe, None)
            if pipe in self._workers:
                self._workers.pop(pipe).process.join()

    def _send(self, pipe: Connection, group: list[int] | None) -> None:
        with suppress(OSError):
            pipe.send(group)
            return
        self._lost(pipe)

    def _lost(self, pipe: Connection) -> None:
        """The worker is gone: what it had is run again, or has failed. Raises what another worker would not survive."""
        worker = self._workers.pop(pipe)
        worker.process.join()
        name, code = worker.process.name, worker.process.exitcode or 0
        _refuse_unstartable(name, code, worker.begun)
        cause = cause_of(code)
        failed = self._dispatch.lost(pipe)
        _log.warning("%s died (%s); what it had is run again", name, cause)
        for i in failed:
            self._emit(lost_twice(self._samples(), i, cause))
        if self._dispatch.deaths_in_a_row >= DEATHS_IN_A_ROW:
            raise RunError(
                f"{DEATHS_IN_A_ROW} workers in a row died before they had finished a sample, the last: {cause}; "
                f"finished samples are kept: run the same command again (without --overwrite), {_remedy(code)}"
            )


def _refuse_unstartable(name: str, code: int, begun: bool) -> None:
    """Raise `BadOption` or `RunError` if a worker that ended with exit code `code` did so for the main program."""
    if code == NO_GUARD:
        raise BadOption(
            f"iiszoo.bench starts workers, and each imports {script()}, which calls iiszoo.bench again; {GUARD}"
        )
    if code >= 0 and not begun:
        raise RunError(
            f"{name} ended (exit code {code}) before it began to work: every worker imports {script()}; put what that "
            f'runs on import under `if __name__ == "__main__":`, or use one worker'
        )


def cause_of(code: int) -> str:
    """What the exit code of a worker that died says; a negative one is a signal's number."""
    if code == -signal.SIGKILL:
        return "killed by signal 9, perhaps out of memory"
    if code < 0:
        return f"killed by signal {-code}: code of the model or of a library crashed"
    return f"exit code {code}: the model or a library ended the process"


def _remedy(code: int) -> str:
    return "with fewer --workers or a smaller --batch-size" if code == -signal.SIGKILL else "with --workers 1, to debug"


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
