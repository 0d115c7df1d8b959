"""The geometry of the report page's charts, in SVG units; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iiszoo.engine.metrics import noc, reached
from iiszoo.engine.runs.trace import Trace

WIDTH = 560
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 24, 40
_CURVES_HEIGHT = 330
_GROUPED_HEIGHT = 266
_SMALL_HEIGHT, _SMALL_GAP = 44, 26
_NEVER = 44
"""The least width at the right for the samples that never reached the goal, set apart from the others."""
MOST_GROUPED = 4
"""With more models than this, each has a small histogram: bars side by side would be too thin to read."""


@dataclass(frozen=True)
class Series:
    """One run in the charts. `style` is a number for its colour and marker, the same on every chart."""

    label: str
    style: int
    summary: dict[str, Any]
    traces: Sequence[Trace]

    @property
    def max_clicks(self) -> int:
        return int(self.summary["protocol"]["max_clicks"])

    @property
    def target_iou(self) -> float:
        return float(self.summary["protocol"]["target_iou"])


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A measured value; `text` describes it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Line:
    """One model's curve: `path` is an SVG path through all its points, `points` are those on the chart."""

    style: int
    path: str
    points: list[Point]


@dataclass(frozen=True)
class Curves:
    """Mean IoU after each click. `targets` are the IoUs at which sessions end; `title` is that of the y axis."""

    title: str
    height: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    targets: list[Tick]
    lines: list[Line]


@dataclass(frozen=True)
class Bar:
    """A share of a run's samples; `failed`: those that never reached the IoU."""

    x: float
    y: float
    width: float
    height: float
    style: int
    failed: bool
    text: str


@dataclass(frozen=True)
class Panel:
    """Bars on one base line; `title` names the model if the panel has only one."""

    top: float
    base: float
    title: str | None
    y_ticks: list[Tick]
    bars: list[Bar]


@dataclass(frozen=True)
class Histogram:
    """How many samples needed how many clicks to reach the IoU `goal`."""

    goal: float
    height: float
    x_ticks: list[Tick]
    panels: list[Panel]


def curves(series: Sequence[Series]) -> Curves:
    """Mean IoU over clicks, one line per run. The y axis begins below the lowest mean after the first click."""
    most = max(one.max_clicks for one in series)
    after_first = [value for one in series for value in one.summary["metrics"]["iou"][1:] if value is not None]
    lowest = min(0.8, math.floor(10 * min(after_first, default=0.0)) / 10)
    base = _CURVES_HEIGHT - BOTTOM

    def x(k: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * k / most, 1)

    def y(iou: float) -> float:
        return round(base - (base - TOP) * (iou - lowest) / (1 - lowest), 1)

    step = 0.1 if lowest < 0.6 else 0.05
    levels = [lowest + step * i for i in range(round((1 - lowest) / step) + 1)]
    targets = sorted({one.target_iou for one in series})
    return Curves(
        f"mean IoU; the axis begins at {levels[0]:g}" if levels[0] else "mean IoU",
        _CURVES_HEIGHT,
        [Tick(x(k), str(k)) for k in range(0, most + 1, _stride(most))],
        [Tick(y(level), f"{level:.2f}" if step < 0.1 else f"{level:.1f}") for level in levels],
        [Tick(y(target), f"{target:.2f}") for target in targets if target >= lowest],
        [_line(one, x, y, lowest) for one in series],
    )


def _line(one: Series, x: Callable[[float], float], y: Callable[[float], float], lowest: float) -> Line:
    known = [(k, value) for k, value in enumerate(one.summary["metrics"]["iou"]) if value is not None]
    path = " ".join(f"{'L' if i else 'M'}{x(k)} {y(value)}" for i, (k, value) in enumerate(known))
    points = [
        Point(x(k), y(value), f"{one.label}: IoU {value:.3f} after {_count(k, 'click')}")
        for k, value in known
        if value >= lowest
    ]
    return Line(one.style, path, points)


@dataclass(frozen=True)
class _Columns:
    """The positions of the bars for `first` ... `last` clicks and, as column None, for "never"."""

    first: int
    last: int

    @property
    def width(self) -> float:
        n, all_of_it = self.last + 1 - self.first, WIDTH - LEFT - RIGHT
        return min((all_of_it - _NEVER) / n, all_of_it / (n + 1.25))

    def middle(self, column: int | None) -> float:
        if column is None:
            return WIDTH - RIGHT - max(_NEVER, self.width) / 2
        return LEFT + self.width * (column - self.first + 0.5)


def histogram(series: Sequence[Series]) -> Histogram:
    """NoC@90 of every sample, or NoC at the lowest target IoU of the runs, if that is lower."""
    goal = min(0.90, *(one.target_iou for one in series))
    counts = [_counts(one, goal) for one in series]
    shares = [n / len(one.traces) for one, count in zip(series, counts, strict=True) for n in count.values()]
    highest = next(level for level in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if level >= max(shares, default=0.0) - 1e-9)
    columns = _Columns(0 if any(0 in count for count in counts) else 1, max(one.max_clicks for one in series))
    pairs = list(zip(series, counts, strict=True))
    small = len(series) > MOST_GROUPED
    panels, base = [], 0.0
    for group in [[pair] for pair in pairs] if small else [pairs]:
        top = base + (_SMALL_GAP if small else TOP)
        base = top + (_SMALL_HEIGHT if small else _GROUPED_HEIGHT)
        ticks = [
            Tick(round(base - (base - top) * part, 1), f"{100 * highest * part:.3g} %")
            for part in ((0, 1) if small else (0, 0.25, 0.5, 0.75, 1))
        ]
        bars = _bars(group, goal, columns, base, (base - top) / highest)
        panels.append(Panel(top, base, group[0][0].label if small else None, ticks, bars))
    stride = 1 if columns.last <= 25 else _stride(columns.last)
    labelled = [k for k in range(columns.first, columns.last + 1) if k % stride == 0]
    x_ticks = [Tick(round(columns.middle(k), 1), str(k)) for k in labelled] + [Tick(columns.middle(None), "never")]
    return Histogram(goal, base + BOTTOM, x_ticks, panels)


def _counts(one: Series, goal: float) -> dict[int | None, int]:
    """Samples by NoC; None: the goal was never reached."""
    found: dict[int | None, int] = {}
    for trace in one.traces:
        clicks = noc(trace, goal, one.max_clicks) if reached(trace, goal) else None
        found[clicks] = found.get(clicks, 0) + 1
    return found


def _bars(
    group: Sequence[tuple[Series, dict[int | None, int]]], goal: float, columns: _Columns, base: float, scale: float
) -> list[Bar]:
    """Bars of runs side by side, standing on `base`, as high as `scale` x their share of the samples."""
    width = 0.84 * columns.width / len(group)
    bars = []
    for i, (one, count) in enumerate(group):
        for column, n in sorted(count.items(), key=lambda item: math.inf if item[0] is None else item[0]):
            height = scale * n / len(one.traces)
            when = "never" if column is None else f"after {_count(column, 'click')}"
            text = f"{one.label}: {n} of {_count(len(one.traces), 'sample')} reach IoU {goal:.2f} {when}"
            x = columns.middle(column) + (i - len(group) / 2) * width
            box = (round(x, 1), round(base - height, 1), round(width, 1), round(height, 1))
            bars.append(Bar(*box, one.style, column is None, text))
    return bars


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _stride(most: int) -> int:
    """Clicks between two labels of an axis that ends at `most`."""
    return next((step for step in (1, 2, 5, 10, 20, 50) if most / step <= 12), 100)
