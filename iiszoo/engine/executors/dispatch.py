"""Which groups a worker gets, and what becomes of those of a worker that dies: the rules, without the workers.

A worker reads ahead, for its batches, and so has several groups at a time. If it dies, the samples that it had and did
not finish are run once more, each alone on a worker: whatever kills workers kills only its own then. A sample that was
lost twice has failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from iiszoo.engine.runs.trace import Trace

if TYPE_CHECKING:
    from iiszoo.data.base import EvaluationDataset

Worker = TypeVar("Worker", bound=Hashable)

DEATHS_IN_A_ROW = 5
"""So many workers that died in a row before any had finished a sample end a run: another would not help."""


class Given(NamedTuple):
    """`groups` for a worker; `more`: others may follow before it has finished these, so that it waits for them."""

    groups: list[list[int]]
    more: bool


@dataclass
class _Share:
    """What a worker has: its groups' samples that are not done yet; `alone`: one that must not get company;
    `delivered`: it has done a sample.
    """

    groups: list[set[int]] = field(default_factory=list)
    alone: bool = False
    delivered: bool = False


class Dispatch(Generic[Worker]):
    """The groups of one run, given out to workers that come and go; each runs `n_sessions` at a time, if it can.

    `deaths_in_a_row`: workers that were lost before they had done a sample, since any worker has done one.
    """

    def __init__(self, groups: Sequence[list[int]], n_sessions: int = 2) -> None:
        self._n_sessions = n_sessions
        self._left = deque(groups)
        self._again: deque[int] = deque()
        self._lost_once: set[int] = set()
        self._shares: dict[Worker, _Share] = {}
        self.deaths_in_a_row = 0

    @property
    def finished(self) -> bool:
        """Whether every sample is done or has failed."""
        return not (self._left or self._again or any(share.groups for share in self._shares.values()))

    @property
    def n_groups(self) -> int:
        """Groups that are not finished; a sample that is run alone is one."""
        return len(self._left) + len(self._again) + self._n_out

    @property
    def _n_out(self) -> int:
        return sum(len(share.groups) for share in self._shares.values())

    def join(self, worker: Worker) -> None:
        """A worker that can be given groups from now on."""
        self._shares[worker] = _Share()

    def give(self, worker: Worker, wanted: int) -> Given:
        """At most `wanted` groups: none for one that finishes what it has. No worker has more than `_most`: otherwise
        one that reads far ahead, for a large batch, would take all near the end.
        """
        share = self._shares[worker]
        if not share.groups:
            share.alone = bool(self._again)  # before anything new: a worker that reads ahead is seldom without groups
        if share.alone:
            if share.groups or not wanted:
                return Given([], False)
            sample = self._again.popleft()
            share.groups.append({sample})
            return Given([[sample]], False)
        most = self._most()
        n = max(0, min(wanted, most - len(share.groups), len(self._left)))
        groups = [self._left.popleft() for _ in range(n)]
        share.groups += map(set, groups)
        return Given(groups, n == wanted and bool(self._left) and len(share.groups) < most)

    def _most(self) -> int:
        """Half a worker's share of what is unfinished, so that a rest remains for those that end early (guided
        self-scheduling, Polychronopoulos and Kuck 1987); but as many as it runs at a time, within its share.
        """
        unfinished = len(self._left) + self._n_out
        half, share = (-(-unfinished // (parts * len(self._shares))) for parts in (2, 1))
        return max(half, min(self._n_sessions, share))

    def done(self, worker: Worker, sample: int) -> None:
        """The sample's trace has arrived. Raises `KeyError` if the worker did not have the sample."""
        share = self._shares[worker]
        for group in share.groups:
            if sample in group:
                group.remove(sample)
                share.groups = [group for group in share.groups if group]
                share.delivered, self.deaths_in_a_row = True, 0
                return
        raise KeyError(sample)

    def lost(self, worker: Worker) -> list[int]:
        """The worker is gone, with what it had, perhaps before it joined. Returns the samples that were lost for the
        second time: they count as failed; the others are given out again.
        """
        share = self._shares.pop(worker, _Share())
        self.deaths_in_a_row += not share.delivered
        had = sorted(sample for group in share.groups for sample in group)
        failed = [sample for sample in had if sample in self._lost_once]
        self._again += [sample for sample in had if sample not in self._lost_once]
        self._lost_once.update(had)
        return failed


def lost_twice(samples: EvaluationDataset, i: int, cause: str) -> Trace:
    """The trace of a sample whose worker died twice, the second time of `cause`."""
    sample = samples[i]
    height, width = sample.read_image().shape[:2]
    error = f"its worker died twice, the second time with this sample alone ({cause})"
    return Trace(sample.id, i, [height, width], error=error)
