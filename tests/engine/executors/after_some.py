"""Something that happens once in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable

from iiszoo.engine.bench_run import Listener, Run
from iiszoo.engine.runs.trace import Trace


class AfterSome(Listener):
    """Does something once, when `n` sessions have ended."""

    def __init__(self, n: int, act: Callable[[], None]) -> None:
        self.n, self.act = n, act

    def ended_sample(self, run: Run, trace: Trace) -> None:
        self.n -= 1
        if self.n == 0:
            self.act()
