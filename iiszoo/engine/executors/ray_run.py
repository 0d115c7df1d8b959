"""One job on the actors of a Ray cluster: who does what, what arrives, and who is lost."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iiszoo.engine.executors import sent_files
from iiszoo.engine.executors.dispatch import DEATHS_IN_A_ROW, Dispatch, lost_twice
from iiszoo.engine.executors.executor import Emit
from iiszoo.engine.executors.job import Job, pickled
from iiszoo.engine.executors.ray_worker import AHEAD, Ready, Report, Task, hash_of_ids
from iiszoo.errors import BadOption, RunError, text_of

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset
    from iiszoo.engine.executors.ray_cluster import OnRay
    from iiszoo.engine.runs.provenance import Elsewhere

_log = logging.getLogger("iiszoo.engine")

_GLANCE_SECONDS = 1.0
"""How often the driver looks for room for further actors while nothing arrives."""
_DRAIN_SECONDS = 10.0


@dataclass(eq=False)
class Member:
    """An actor, as its driver sees it. `pending` is the answer that it owes; `first`: it was hired before any trace."""

    actor: Any
    first: bool
    pending: Any = None
    begun: bool = False
    idle: bool = True

    def kill(self) -> None:
        """End the actor, in whatever state it is."""
        import ray

        with suppress(Exception):  # it is gone already, or was never started
            ray.kill(self.actor, no_restart=True)


class RayRun:
    """The samples of `groups`, run by the crew of `cluster`."""

    def __init__(
        self, cluster: OnRay, job: Job, samples: EvaluationDataset, groups: Sequence[list[int]], emit: Emit
    ) -> None:
        import ray

        self._cluster, self._job, self._samples, self._emit = cluster, job, samples, emit
        self._files = sent_files.files_of(job)
        task = Task(_sendable(job), self._files, job.model.identity(), hash_of_ids(samples), os.getcwd())
        self._task = ray.put(task)
        self._contents: dict[int, Any] = {}
        self._dispatch: Dispatch[Member] = Dispatch(groups, 2 * job.batch_size)
        self._refused = 0
        self._answered = False
        self._environment: Elsewhere | None = None
        for member in cluster.crew:
            member.begun, member.first = False, True

    def first_environment(self) -> Elsewhere:
        """The environment of the first actor that has loaded the job."""
        try:
            while self._environment is None:
                self._hire(1)
                self._await(self._cluster.crew[:1])
        finally:
            self._dismiss()
        return self._environment

    def run(self) -> None:
        """Run every sample. Raises as `OnRay.run`."""
        try:
            while not self._dispatch.finished:
                wanted = self._cluster.wanted(self._job.device) - self._refused
                self._hire(max(1, min(wanted, self._dispatch.n_groups)))
                self._await(self._cluster.crew)
            self._drain()
        finally:
            self._dismiss()

    def _hire(self, n: int) -> None:
        crew, device = self._cluster.crew, self._job.device
        while len(crew) < n:
            self._cluster.hire(device, first=not self._answered)
        for member in crew[:n]:
            if not member.begun and member.pending is None:
                member.pending = member.actor.begin.remote(self._task)
            elif member.begun and member.idle:
                self._give(member, AHEAD)

    def _await(self, members: Sequence[Member]) -> None:
        """Wait for an answer of one of the members, for a moment at most."""
        import ray

        owing = {member.pending: member for member in members if member.pending is not None}
        if not owing:
            time.sleep(_GLANCE_SECONDS)
            return
        for ref in ray.wait([*owing], num_returns=1, timeout=_GLANCE_SECONDS)[0]:
            self._answer(owing[ref], ref)
        self._cluster.notice(self._job.device)

    def _answer(self, member: Member, ref: Any) -> None:
        import ray
        from ray.exceptions import ActorDiedError, RayError, RayTaskError

        member.pending = None
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            raise RunError(f"a worker failed: {text_of(error, 2000)}; this is a fault of iiszoo") from error
        except RayError as error:
            if isinstance(error, ActorDiedError) and "creation task" in str(error):
                raise RunError(
                    f"no worker can be started on a node of the cluster ({_last_line(error)}); install the same "
                    "Python, iiszoo, plugins and Ray on every node"
                ) from error
            self._lost(member, error)
            return
        if isinstance(answer, Ready):
            self._ready(member, answer)
        else:
            self._report(member, answer)

    def _ready(self, member: Member, ready: Ready) -> None:
        if ready.fault is not None:
            error, there = ready.fault
            if member.first or not any(other.begun for other in self._cluster.crew):
                raise error from there
            _log.warning("a node that joined is not used: %s", error)
            self._refused += 1
            self._remove(member)
        elif ready.missing:
            contents = [self._content(number) for number in ready.missing]
            member.pending = member.actor.begin.remote(self._task, ready.missing, *contents)
        else:
            self._environment = self._environment or ready.environment
            member.begun, member.idle = True, True
            self._dispatch.join(member)
            self._give(member, AHEAD)

    def _content(self, number: int) -> Any:
        """A file's bytes in the object store, where all nodes get them from."""
        import numpy as np
        import ray

        if number not in self._contents:
            path = self._files[number].path
            try:
                self._contents[number] = ray.put(np.fromfile(path, np.uint8))
            except OSError as error:
                raise BadOption(f"{path} cannot be read: {error.strerror or error}") from error
        return self._contents[number]

    def _report(self, member: Member, report: Report) -> None:
        for trace in report.traces:
            self._dispatch.done(member, trace.index)
            self._answered = True
            self._emit(trace)
        if report.fault is not None:
            error, there = report.fault
            raise error from there
        member.idle = report.ended
        self._give(member, report.wanted)

    def _give(self, member: Member, wanted: int) -> None:
        given = self._dispatch.give(member, wanted)
        if given.groups or not member.idle:
            member.idle = False
            member.pending = member.actor.step.remote(given.groups, given.more)

    def _lost(self, member: Member, error: Exception) -> None:
        """The actor, or its node, is gone: what it had is run again, or has failed."""
        self._remove(member)
        cause = _cause(error)
        failed = self._dispatch.lost(member)
        _log.warning("a worker died (%s); what it had is run again", cause)
        for i in failed:
            self._emit(lost_twice(self._samples, i, cause))
        if self._dispatch.deaths_in_a_row >= DEATHS_IN_A_ROW:
            raise RunError(
                f"{DEATHS_IN_A_ROW} workers in a row died before they had finished a sample, the last: {cause}; "
                "finished samples are kept: run the same command again (without --overwrite), with other workers"
            )

    def _remove(self, member: Member) -> None:
        self._cluster.crew.remove(member)
        member.kill()

    def _drain(self) -> None:
        """Everything is done: let the actors say so, and keep them for the next job."""
        end = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < end:
            busy = [member for member in self._cluster.crew if member.begun and member.pending is not None]
            if not busy:
                return
            self._await(busy)

    def _dismiss(self) -> None:
        """End the actors that are at work or owe an answer: nobody will ask for it."""
        for member in [member for member in self._cluster.crew if member.pending is not None or not member.idle]:
            self._remove(member)


def _sendable(job: Job) -> bytes:
    """The job for processes that do not know this program. Raises `BadOption` if they cannot have it."""
    sent, of_main_program = pickled(job)
    if of_main_program is not None:
        raise BadOption(
            f"{of_main_program} is defined in the main program, where the workers of a Ray cluster cannot find it; "
            "move it to a module that every node has, and name the model as 'module:function'"
        )
    return sent


def _cause(error: Exception) -> str:
    """What Ray says of a death, in short: it says it in many lines."""
    found = re.search(r"Worker exit detail: (.*?)(?:\. Some common causes|\n|$)|(node [^.\n]*(?:dead|died)[^.\n]*)|"
                      r"(Task was killed due to the node running low on memory)", str(error))  # fmt: skip
    said = next(filter(None, found.groups()), None) if found else None
    return f"{type(error).__name__}: {said or _last_line(error)}"[:300]


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
