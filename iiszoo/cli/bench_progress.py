"""Progress of a benchmark on stderr: bars on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from iiszoo import units
from iiszoo.cli.output import echo
from iiszoo.cli.terminal import shown
from iiszoo.engine.bench_run import Listener, Run
from iiszoo.engine.metrics import noc
from iiszoo.engine.runs.trace import Trace

EVERY = 30.0
"""Seconds between two lines where there is no terminal; work that takes less prints none."""


class Shown(Listener, AbstractContextManager["Shown"]):
    """A listener that shows steps: `checking D`, `fetching F` and `M on D`, each with what is done of its total."""

    def __init__(self) -> None:
        self._clicks: list[int] = []

    def __exit__(self, *_: object) -> None:
        """Nothing is left on the terminal."""

    def checking(self, dataset: str, done: int, total: int) -> None:
        self.step(f"checking {dataset}", done, total)

    def fetching(self, filename: str, done: int, total: int | None) -> None:
        self.step(f"fetching {filename}", done, total)

    def started(self, run: Run, done: Sequence[Trace], total: int) -> None:
        self._clicks = [self._noc(run, trace) for trace in done]
        self._total = total
        self.step(self._name(run), len(done), total, self._note(run))

    def ended_sample(self, run: Run, trace: Trace) -> None:
        self._clicks.append(self._noc(run, trace))
        self.step(self._name(run), len(self._clicks), self._total, self._note(run))

    def ended(self, run: Run, summary: dict[str, Any]) -> None:
        self.end(self._name(run))

    def step(self, name: str, done: int, total: int | None, note: str = "") -> None:
        """The state of a step, which begins with its first call."""

    def end(self, name: str) -> None:
        """A step has ended; it may never have begun."""

    def _name(self, run: Run) -> str:
        return f"{run.name} on {run.dataset}"

    def _note(self, run: Run) -> str:
        if not self._clicks:
            return ""
        return f"NoC@{100 * run.rules.target_iou:.0f} {sum(self._clicks) / len(self._clicks):.2f}"

    def _noc(self, run: Run, trace: Trace) -> int:
        return noc(trace, run.rules.target_iou, run.rules.max_clicks)


class Bars(Shown):
    """Bars, drawn while this is entered; a bar vanishes when its step ends."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, name: str, done: int, total: int | None, note: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(shown(name, one_line=True), completed=done, total=total, note="")
        bar = self._bars[name]
        speed = self._progress.tasks[self._progress.task_ids.index(bar)].speed
        rate = f"{speed:.2g} samples/s " if speed and note else ""
        self._progress.update(bar, completed=done, total=total, note=f"{rate}{note}")
        if done == total and not note:  # a run ends by `end`
            self.end(name)

    def end(self, name: str) -> None:
        if name in self._bars:
            self._progress.remove_task(self._bars.pop(name))


class Lines(Shown):
    """At most one line every `EVERY` seconds: done, rate, running NoC, time left."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[str, tuple[float, int]] = {}
        self._last = time.monotonic()

    def __enter__(self) -> Lines:
        return self

    def step(self, name: str, done: int, total: int | None, note: str = "") -> None:
        now = time.monotonic()
        began, before = self._began.setdefault(name, (now, done))
        if now - self._last < EVERY or done == before:
            return
        self._last = now
        rate = (done - before) / max(now - began, 1e-3)
        if name.startswith("fetching"):
            counted, speed = " of ".join(filter(None, map(units.size, (done, total)))), f"{units.size(rate)}/s"
        else:
            counted, speed = f"{done} of {total}", f"{rate:.2g} samples/s"
        left = "" if total is None else f"{units.time((total - done) / rate)} left"
        echo(f"{name}: {', '.join(filter(None, [counted, speed, note, left]))}", err=True)


def listener() -> Bars | Lines:
    """Bars if stderr is a terminal, else lines; a context manager."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines()
