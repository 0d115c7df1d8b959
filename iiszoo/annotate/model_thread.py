"""The thread that the model runs in, beside the event loop.

It does one small job at a time. Four places hold what is to be done next, the most urgent first: `orders`, all of which
are carried out; and `answer`, `hover` and `ahead`, in each of which a newer job replaces an older one. A job that
takes several calls of the model ends after each of them, so that a newer one never waits for more than one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

Job = Callable[[], bool]
"""Does one part of the work; returns whether more is left. It handles its own errors."""
Place = Literal["answer", "hover", "ahead"]

_log = logging.getLogger(__name__)


class ModelThread:
    """Raises nothing; an exception that a job lets out is logged, and the job is dropped."""

    def __init__(self) -> None:
        self._orders: deque[Job] = deque()
        self._newest: dict[Place, Job | None] = {"answer": None, "hover": None, "ahead": None}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def order(self, job: Job) -> None:
        """Do this before everything else, after earlier orders."""
        with self._changed:
            self._orders.append(job)
            self._changed.notify()

    def want(self, place: Place, job: Job | None) -> None:
        """Do this next in its place, instead of what waits there; None: nothing."""
        with self._changed:
            self._newest[place] = job
            self._changed.notify()

    def end(self, timeout: float) -> bool:
        """Stop after the present call of the model. Returns whether it has ended within `timeout` seconds."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._orders or any(self._newest.values()))
                if self._ended:
                    return
                place, job = self._next()
            try:
                more = job()
            except Exception:  # noqa: BLE001  the thread must go on
                _log.exception("a job of the annotation page failed")
                more = False
            if not more:
                with self._changed:
                    if place is None:
                        self._orders.popleft()
                    elif self._newest[place] is job:
                        self._newest[place] = None

    def _next(self) -> tuple[Place | None, Job]:
        if self._orders:
            return None, self._orders[0]
        return next((place, job) for place, job in self._newest.items() if job is not None)
