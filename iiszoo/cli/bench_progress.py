"""Progress of a benchmark, drawn on stderr: samples done, rate, running NoC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from iiszoo.cli.terminal import shown
from iiszoo.engine.bench import Listener, Run
from iiszoo.engine.metrics import noc
from iiszoo.engine.runs.trace import Trace


class Bars(Listener):
    """A listener and a context manager: bars are shown while it is entered, then vanish."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bars: dict[str, TaskID] = {}
        self._clicks: list[int] = []

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def checking(self, dataset: str, done: int, total: int) -> None:
        self._show(f"checking {dataset}", done, total)

    def fetching(self, filename: str, done: int, total: int | None) -> None:
        self._show(f"fetching {filename}", done, total)

    def started(self, run: Run, done: Sequence[Trace], total: int) -> None:
        self._clicks = [self._noc(run, trace) for trace in done]
        self._show(f"{run.name} on {run.dataset}", len(done), total)

    def ended_sample(self, run: Run, trace: Trace) -> None:
        self._clicks.append(self._noc(run, trace))
        bar = self._bars[f"{run.name} on {run.dataset}"]
        speed = self._progress.tasks[self._progress.task_ids.index(bar)].speed
        self._progress.update(
            bar,
            advance=1,
            rate=f"{speed:.2g} samples/s" if speed else "",
            note=f"NoC@{100 * run.rules.target_iou:.0f} {sum(self._clicks) / len(self._clicks):.2f}",
        )

    def ended(self, run: Run, summary: dict[str, Any]) -> None:
        self._hide(f"{run.name} on {run.dataset}")

    def _noc(self, run: Run, trace: Trace) -> int:
        return noc(trace, run.rules.target_iou, run.rules.max_clicks)

    def _show(self, description: str, done: int, total: int | None) -> None:
        if description not in self._bars:
            self._bars[description] = self._progress.add_task(
                shown(description, one_line=True), total=total, rate="", note=""
            )
        self._progress.update(self._bars[description], completed=done, total=total)
        if done == total and description.startswith(("checking", "fetching")):
            self._hide(description)

    def _hide(self, description: str) -> None:
        if description in self._bars:
            self._progress.remove_task(self._bars.pop(description))
