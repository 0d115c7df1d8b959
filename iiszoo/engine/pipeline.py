"""Many sessions at a time: the model answers one group while the robot works on the other.

Two lanes of up to `batch_size` sessions take turns. While the model's call for one lane runs in the calling thread, the
robot's side of the other lane (scoring, the next click) runs in other threads, if the model is slow enough for that to
pay; further threads read images ahead. A session that ends makes room for the next sample. Traces, apart from their
times, do not depend on any of this.

On a CPU the model has the cores, and one thread for the robot is enough. Beside a GPU the robot has two, and new
sessions are scored and clicked ahead as well: `Threads`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from iiszoo import protocol
from iiszoo.engine import inference
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.inference import Batch, RunningSession
from iiszoo.engine.runs.trace import Trace
from iiszoo.errors import DatasetError, ModelError, WorkerDied, WorkerLost, raised_as
from iiszoo.tracebacks import foreign_traceback

if TYPE_CHECKING:
    from iiszoo.data.base import Mask, Probabilities, Sample, Target

_log = logging.getLogger(__name__)

_WORTH_A_THREAD = 1e-3
"""Seconds of a model call above which the robot's side has a thread of its own; below, handing over costs more."""


_Ended = list[tuple[RunningSession, ModelError | None]]
"""Sessions that have ended, with the model's failure if that is the reason."""


@dataclass
class _Reading:
    """One image with its samples, as read: `x` float32 `(3, H, W)`; `targets[j]` and `initial_masks[j]` belong to
    sample `indices[j]`, whose id is `ids[j]`.
    """

    indices: list[int]
    ids: list[str]
    x: Tensor
    targets: list[Target]
    initial_masks: list[Mask | Probabilities | None]
    seconds: float


class _New(NamedTuple):
    """A session to begin; `z` is its own."""

    trace: Trace
    x: Tensor
    target: Target
    z: protocol.State


_Begun = tuple[Trace, RunningSession | ModelError | None]
"""None: the session has ended without a click."""


@dataclass(frozen=True)
class Threads:
    """How many there are beside the calling thread: that read images, and for the robot's side; and how many new
    sessions are begun ahead.
    """

    readers: int = 2
    robots: int = 1
    ahead: int = 0


def threads_for(device: str, batch_size: int) -> Threads:
    """Those beside a model on `device`. More than two of each are slower even with 16 cores: with every kernel that the
    calling thread launches it waits for the interpreter's lock.
    """
    return Threads(2, 2, batch_size) if device.startswith("cuda") else Threads()


@dataclass
class _Lane:
    """Sessions in flight, joined into batches; `turns` are the robot's, in the other threads."""

    batches: list[Batch] = field(default_factory=list)
    turns: list[Future[_Ended]] = field(default_factory=list)

    def sessions(self) -> list[RunningSession]:
        return [session for batch in self.batches for session in batch.sessions]


def run(
    model: protocol.Model,
    robot: protocol.Robot,
    dataset: Sequence[Sample],
    groups: Iterable[list[int]],
    rules: ResolvedProtocol,
    emit: Callable[[Trace], None],
    *,
    batch_size: int = 1,
    keep_going: bool = False,
    threads: Threads | None = None,
) -> None:
    """Run a session for every sample of `groups` (indices, one list per image); `emit` each trace.

    `emit` is called in the calling thread, in the order in which sessions end. If the model fails, `ModelError` is
    raised; with `keep_going`, and always after a `WorkerDied`, the sample's trace records the error and the run
    continues. With `keep_going`, a model that fails only on batches gets one sample at a time from then on.
    `threads`: None, those for the model's device.
    """
    threads = threads or threads_for(model.device, batch_size)
    with (
        ThreadPoolExecutor(threads.readers, "read") as readers,
        ThreadPoolExecutor(threads.robots, "robot") as others,
        torch.no_grad(),
    ):
        runner = _Runner(model, robot, rules, emit, batch_size, keep_going, others, threads)
        samples = runner.starting(_read_ahead(dataset, model.device, groups, readers, 2 * batch_size))
        lanes = [_Lane(), _Lane()]
        working = True
        while working:
            working = False
            for lane in lanes:
                runner.refill(lane, samples)
                if lane.batches:
                    working = True
                    lane.turns = runner.turns(lane, beside=runner.answer(lane) > _WORTH_A_THREAD)


def _now(work: Callable[[Any], Any], given: Any) -> Future[Any]:
    """Like `submit`, but in the calling thread."""
    done: Future[Any] = Future()
    done.set_result(work(given))
    return done


def _read_ahead(
    dataset: Sequence[Sample], device: str, groups: Iterable[list[int]], readers: ThreadPoolExecutor, depth: int
) -> Iterator[_Reading]:
    waiting: deque[Future[_Reading]] = deque()
    try:
        for group in groups:
            waiting.append(readers.submit(_read, dataset, device, group))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _read(dataset: Sequence[Sample], device: str, indices: list[int]) -> _Reading:
    began = time.perf_counter()
    with raised_as(DatasetError, f"sample {indices[0]} of the dataset cannot be read"):
        samples = [dataset[i] for i in indices]
        image = samples[0].read_image()
        targets = [sample.read_target() for sample in samples]
        initial_masks = [sample.read_initial_mask() for sample in samples]
    ids, x = [sample.id for sample in samples], protocol.to_tensor(image, device)
    return _Reading(indices, ids, x, targets, initial_masks, time.perf_counter() - began)


class _Runner:
    """What every step of a run needs: the model, the robot, the evaluation protocol, and where traces go."""

    def __init__(
        self,
        model: protocol.Model,
        robot: protocol.Robot,
        rules: ResolvedProtocol,
        emit: Callable[[Trace], None],
        batch_size: int,
        keep_going: bool,
        others: ThreadPoolExecutor,
        threads: Threads,
    ) -> None:
        self.model, self.robot, self.rules, self.emit = model, robot, rules, emit
        self.batch_size, self.keep_going = batch_size, keep_going
        self.others, self.threads = others, threads
        self.ragged, self.together = model.ragged, True

    def starting(self, readings: Iterator[_Reading]) -> Iterator[RunningSession]:
        """Sessions after the robot's first click; `init_z` runs once per image, for all its samples."""
        submit: Any = self.others.submit if self.threads.ahead else _now
        waiting: deque[Future[_Begun]] = deque()
        for reading in readings:
            for new in self._new(reading):
                waiting.append(submit(self._begin, new))
                if len(waiting) > self.threads.ahead:
                    yield from self._begun(waiting.popleft().result())
        while waiting:
            yield from self._begun(waiting.popleft().result())

    def _new(self, reading: _Reading) -> Iterator[_New]:
        x, share = reading.x, len(reading.indices)
        traces = [
            Trace(id, i, list(x.shape[-2:]), load_seconds=reading.seconds / share)
            for i, id in zip(reading.indices, reading.ids, strict=True)
        ]
        z = self._init_z(x, traces)
        if z is None:
            return
        for trace, target, mask in zip(traces, reading.targets, reading.initial_masks, strict=True):
            own = dict(z) if mask is None else {**z, "prev_output": protocol.to_output(mask, self.model.device)}
            yield _New(trace, x, target, own)

    def _begin(self, new: _New) -> _Begun:
        """Score the state that the session starts from, and click for the first time."""
        try:
            session = inference.start(new.trace, new.x, new.target, new.z, self.rules, self.model.name)
        except ModelError as error:
            return new.trace, error
        if new.trace.initial_iou < self.rules.target_iou and inference.click(session, self.robot, self.rules):
            return new.trace, session
        inference.finish(session, self.rules)
        return new.trace, None

    def _begun(self, begun: _Begun) -> Iterator[RunningSession]:
        """The session, unless it has ended already."""
        trace, session = begun
        if isinstance(session, RunningSession):
            yield session
        elif session is None:
            self.emit(trace)
        else:
            self._failed(trace, session)

    def _init_z(self, x: Tensor, traces: list[Trace]) -> protocol.State | None:
        began = time.perf_counter()
        try:
            whole = self.model.init_z(x[None])
            protocol.check_state(whole, 1, self.model.name)
            (z,) = protocol.split(whole)
        except (KeyboardInterrupt, WorkerLost):
            raise
        except BaseException as error:  # noqa: BLE001  a model may raise anything, SystemExit too
            where = f"in init_z, on the image of sample {traces[0].sample!r}"
            failure = inference.failure(error, self.model.name, where)
            for trace in traces:
                self._failed(trace, failure)
            return None
        for trace in traces:
            trace.init_seconds = (time.perf_counter() - began) / len(traces)
        return z

    def turns(self, lane: _Lane, beside: bool) -> list[Future[_Ended]]:
        """The robot's turns in the lane's sessions, `beside` the calling thread or in it."""
        sessions = lane.sessions()
        if not beside:
            return [_now(self.score_and_click, sessions)] if sessions else []
        shares = (sessions[i :: self.threads.robots] for i in range(self.threads.robots))
        return [self.others.submit(self.score_and_click, share) for share in shares if share]

    def score_and_click(self, sessions: list[RunningSession]) -> _Ended:
        """The robot's side: score each answer and click again. Returns the sessions that have ended."""
        ended: _Ended = []
        for session in sessions:
            try:
                if inference.score(session, self.rules) and inference.click(session, self.robot, self.rules):
                    continue
                inference.finish(session, self.rules)
                ended.append((session, None))
            except ModelError as error:
                ended.append((session, error))
        return ended

    def refill(self, lane: _Lane, samples: Iterator[RunningSession]) -> None:
        """Wait for the lane's turn, remove ended sessions, and fill the lane up with new ones."""
        ended = [one for turn in lane.turns for one in turn.result()]
        lane.turns = []
        for session, error in ended:
            if error is None:
                self.emit(session.trace)
            else:
                self._failed(session.trace, error)
        gone = [session for session, _ in ended]
        kept = [session for session in lane.sessions() if session not in gone]
        new = _take(samples, self.batch_size - len(kept))
        if ended or new:
            lane.batches = self._batches(kept + new)

    def answer(self, lane: _Lane) -> float:
        """The model's side for the whole lane; returns its seconds. Sessions in which the model failed are removed."""
        began = time.perf_counter()
        for batch in list(lane.batches):
            try:
                faults = inference.answer(self.model, batch)
                if not faults:
                    continue
            except inference.BatchFailed as error:
                if not self.keep_going:
                    raise
                _log.warning("%s; from now on it gets one sample at a time", error)
                faults, self.together = {}, False
            for b, fault in faults.items():
                self._failed(batch.sessions[b].trace, fault)
            lane.batches.remove(batch)
            lane.batches += self._batches([session for b, session in enumerate(batch.sessions) if b not in faults])
        return time.perf_counter() - began

    def _failed(self, trace: Trace, error: ModelError) -> None:
        """End a sample in which the model failed, or the run; a worker's death costs only the sample."""
        if not self.keep_going and not isinstance(error, WorkerDied):
            raise ModelError(f"{error}; --keep-going counts such a sample as a failure and continues") from error
        trace.error, trace.traceback = str(error), foreign_traceback(error)
        self.emit(trace)

    def _batches(self, sessions: list[RunningSession]) -> list[Batch]:
        """Join sessions that can share a call: of one size, unless the model is ragged, and with the same keys in z."""
        alike: dict[Any, list[RunningSession]] = {}
        for session in sessions:
            size = None if self.ragged else session.x.shape
            alike.setdefault((size, frozenset(session.z)) if self.together else session.trace.sample, []).append(
                session
            )
        return [inference.batch(group) for group in alike.values()]


def _take(samples: Iterator[RunningSession], n: int) -> list[RunningSession]:
    taken: list[RunningSession] = []
    while len(taken) < n and (session := next(samples, None)) is not None:
        taken.append(session)
    return taken
