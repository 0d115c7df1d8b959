"""A worker of a Ray cluster: it runs jobs on its node, and is asked step by step.

The sessions run in a thread of their own. Each `step` of the driver brings groups, waits until there is something to
report, and returns the traces of the sessions that have ended since, and how many groups are wanted.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from iiszoo.engine.executors import sent_files
from iiszoo.engine.executors.job import Held, Job, interpreter_of, portable, unpickled
from iiszoo.engine.executors.sent_files import SentFile
from iiszoo.engine.runs import provenance, store
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import BadOption, DatasetError, IISZooError, RunError, with_place
from iiszoo.model_reference import CardReference
from iiszoo.registry import resolve_model
from iiszoo.tracebacks import RemoteTraceback

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.protocol import Model

AHEAD = 2
"""Groups that wait at a worker beside those that it has begun to read: it never waits for the network."""

Fault = tuple[IISZooError, RemoteTraceback]


class Task(NamedTuple):
    """A job for workers elsewhere, and what they check before they take it: `identity` of its model, and the hash of
    its samples' ids (`hash_of_ids`). `place` is the driver's working directory.
    """

    job: bytes
    files: list[SentFile]
    identity: dict[str, Any]
    ids: str
    place: str


class Ready(NamedTuple):
    """A worker's answer to a task: its environment; or the numbers of the task's files that it lacks; or a fault."""

    environment: provenance.Elsewhere | None = None
    missing: tuple[int, ...] = ()
    fault: Fault | None = None


class Report(NamedTuple):
    """What a step returns; `ended`: everything given before is finished, and the worker waits."""

    traces: list[Trace]
    wanted: int
    ended: bool
    fault: Fault | None = None


def hash_of_ids(samples: EvaluationDataset) -> str:
    """What two machines' datasets must have in common: the ids of their samples, in order."""
    return hashlib.sha256("\n".join(sample.id for sample in samples).encode("utf-8", "surrogatepass")).hexdigest()


class RayWorker:
    """One worker, with `threads` of torch, in a process that Ray has started. Its methods are called by one driver, one
    at a time.
    """

    def __init__(self, threads: int) -> None:
        import cv2
        import torch

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        self._threads = threads
        self._node = f"node {platform.node()} ({_address()})"
        self._held = Held()
        self._run: _Run | None = None
        self._ready: tuple[Job, Model, EvaluationDataset] | None = None

    def begin(self, task: Task, numbers: Sequence[int] = (), *contents: Any) -> Ready:
        """Load what the task needs; `contents` are the bytes of its files that were missing, by their `numbers`."""
        try:
            if os.path.isdir(task.place):
                os.chdir(task.place)  # so that relative paths are the driver's
                if task.place not in sys.path:
                    sys.path.append(task.place)
            job = unpickled(task.job)
            for number, content in zip(numbers, contents, strict=True):
                sent_files.keep(job, task.files[number], content)
            places = [sent_files.place_of(job, file) for file in task.files]
            missing = tuple(number for number, place in enumerate(places) if place is None)
            if missing:
                return Ready(missing=missing)
            found = [(file, place) for file, place in zip(task.files, places, strict=True) if place is not None]
            job = sent_files.with_files(job, found)
            self._check_identity(job, task.identity)
            job = self._held.with_robot(job)
            samples = job.samples_of(self._held.dataset(job))
            if hash_of_ids(samples) != task.ids:
                raise DatasetError(
                    f"dataset {job.dataset} has other samples there than where the run was started; put the same files "
                    "on every machine"
                )
            model = self._held.model(job)
            self._ready = job, model, samples
            interpreter = interpreter_of(model)
            there = provenance.environment(job.device, self._threads, interpreter)
            del there["argv"]  # is Ray's
            return Ready(environment={"node": {"name": self._node, **there}, **interpreter})
        except IISZooError as error:
            return Ready(fault=portable(error, f"on {self._node}: "))
        except BaseException as error:  # noqa: BLE001  a bug, or what a plugin does
            return Ready(fault=_ended(error, self._node))

    def _check_identity(self, job: Job, wanted: dict[str, Any]) -> None:
        """Raise `BadOption` if code or weights differ. An object of the driver's process has come with its code."""
        if str(wanted.get("code", "")).startswith("object "):
            return
        if isinstance(job.model, CardReference):
            resolve_model(job.model.card.id)  # raises if its plugin is not installed there
        different = store.differences(wanted, job.model.identity())
        if different:
            raise BadOption(
                f"model {job.model.name} is another there ({'; '.join(different)}); install the same versions on every "
                "machine"
            )

    def step(self, groups: Sequence[list[int]], more: bool) -> Report:
        """Take groups (none while `wanted` is 0), and report as soon as there is something to say; without `more`, once
        a session has ended or all have.
        """
        assert self._ready is not None
        if self._run is None:
            job, model, samples = self._ready
            self._run = _Run(lambda given, emit: job.run(model, samples, given, emit), self._node)
        report = self._run.step(groups, more)
        if report.ended:
            self._run = None
        return report


class _Run:
    """The sessions between the first group and the moment when all are finished, in a thread of their own."""

    def __init__(self, work: Callable[[Iterator[list[int]], Callable[[Trace], None]], None], node: str) -> None:
        self._node = node
        self._waiting: deque[list[int]] = deque()
        self._traces: list[Trace] = []
        self._closed = self._ended = False
        self._fault: Fault | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._sessions, args=(work,), name="iiszoo-sessions", daemon=True).start()

    def step(self, groups: Sequence[list[int]], more: bool) -> Report:
        with self._changed:
            self._waiting += groups
            self._closed |= not more
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._traces or self._wanted or self._ended)
            traces, self._traces = self._traces, []
            return Report(traces, AHEAD if self._ended else self._wanted, self._ended, self._fault)

    @property
    def _wanted(self) -> int:
        return 0 if self._closed else AHEAD - len(self._waiting)

    def _groups(self) -> Iterator[list[int]]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                group = self._waiting.popleft()
                self._changed.notify_all()
            yield group

    def _emit(self, trace: Trace) -> None:
        with self._changed:
            self._traces.append(trace)
            self._changed.notify_all()

    def _sessions(self, work: Callable[[Iterator[list[int]], Callable[[Trace], None]], None]) -> None:
        fault = None
        try:
            work(self._groups(), self._emit)
        except IISZooError as error:
            fault = portable(error)
        except BaseException as error:  # noqa: BLE001  a bug in iiszoo or a model's KeyboardInterrupt: the run ends
            fault = _ended(error, self._node)
        with self._changed:
            self._fault, self._ended = fault, True
            self._changed.notify_all()


def _ended(error: BaseException, node: str) -> Fault:
    traceback.print_exc()
    ended = RunError(f"a worker on {node} ended: {with_place(error)}; its traceback is in its log on that node")
    ended.__cause__ = error
    return portable(ended)


def _address() -> str:
    import ray

    address: str = ray.util.get_node_ip_address()
    return address
