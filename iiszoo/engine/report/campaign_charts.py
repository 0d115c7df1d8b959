"""The geometry of a campaign's charts, in SVG units: what grows with the images, with bands over the orders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iiszoo.engine.campaign.outcome import ALONE
from iiszoo.engine.campaign.plan import CONTINUAL, CROSS_FITTED
from iiszoo.engine.report.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Point, Tick

HEIGHT = 320
_MOST_POINTS = 200
"""Points of a curve: more could not be told apart."""


@dataclass(frozen=True)
class Band:
    """One arm: `path` its mean, `area` what lies between the lowest and the highest order ("" if that is nothing),
    `marks` single points that say what they are.
    """

    label: str
    style: int
    path: str
    area: str
    marks: list[Point]


@dataclass(frozen=True)
class Growth:
    """A chart over the images of a campaign. `starts`: the images from which on there was a new M; `legend` names the
    bands, if they are not the arms.
    """

    title: str
    note: str
    height: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    starts: list[Tick]
    bands: list[Band]
    legend: list[tuple[str, int]]


@dataclass(frozen=True)
class _Axes:
    n: int
    top: float

    def x(self, image: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * image / self.n, 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / self.top, 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return "".join(f"{'L' if i else 'M'}{self.x(k)} {self.y(value)}" for i, (k, value) in enumerate(points))


def growth(
    title: str,
    note: str,
    quantity: str,
    curves: Mapping[str, Any],
    styles: Mapping[str, int],
    from_images: Sequence[int],
) -> Growth:
    """A quantity of every arm, summed up to each image: the curves of `campaign.results`."""
    known = {arm: curves[arm][quantity] for arm in styles if arm in curves}
    n = len(next(iter(known.values()))["mean"])
    axes = _Axes(n, max(1.0, *(max(curve["high"]) for curve in known.values())))
    images = sorted({*range(0, n, max(1, n // _MOST_POINTS)), n - 1})
    bands = []
    for arm, curve in known.items():
        lines = {part: [(0.0, 0.0), *((i + 1.0, curve[part][i]) for i in images)] for part in ("mean", "low", "high")}
        area = "" if curve["low"] == curve["high"] else _area(axes, lines["low"], lines["high"])
        last = Point(axes.x(n), axes.y(curve["mean"][-1]), f"{arm}: {curve['mean'][-1]:.0f} after {n} images")
        bands.append(Band(arm, styles[arm], axes.path(lines["mean"]), area, [last]))
    return _chart(title, note, axes, bands, from_images, [])


def quality(found: Mapping[str, Any], styles: Mapping[str, int], n: int, from_images: Sequence[int]) -> Growth:
    """M's mean IoU, of its proposals and on the test split, between two trainings; that of the cross-fitted ones."""
    axes = _Axes(n, 1.0)
    rows = found["proposals"]
    ends = [*(row["from_image"] - 1 for row in rows[1:]), n]
    bands = []
    for label, key, style in (("its proposals", "iou", CONTINUAL), ("on the test split", "test_iou", ALONE)):
        path, marks = "", []
        for row, end in zip(rows, ends, strict=True):
            value, begin = row[key], row["from_image"] - 1
            if value is not None:
                path += axes.path([(begin, value), (end, value)])
                text = f"{label}: IoU {100 * value:.1f} % from image {begin + 1} on, trained on {row['trained_on']:.0f}"
                marks.append(Point(axes.x(begin), axes.y(value), text))
        if path:
            bands.append(Band(label, styles[style], path, "", marks))
    crossed = found["cross_fitted_iou"]
    if crossed is not None:
        mark = Point(axes.x(n), axes.y(crossed), f"cross-fitted: IoU {100 * crossed:.1f} %")
        bands.append(
            Band(
                "proposals of the cross-fitted",
                styles[CROSS_FITTED],
                axes.path([(0, crossed), (n, crossed)]),
                "",
                [mark],
            )
        )
    legend = [(band.label, band.style) for band in bands]
    return _chart("M's quality.", "Mean IoU.", axes, bands, from_images, legend)


def _chart(
    title: str, note: str, axes: _Axes, bands: list[Band], from_images: Sequence[int], legend: list[tuple[str, int]]
) -> Growth:
    levels = _levels(axes.top)
    return Growth(
        title,
        note,
        HEIGHT,
        [Tick(axes.x(k), _whole(k)) for k in _levels(axes.n)],
        [Tick(axes.y(level), f"{100 * level:.0f} %" if legend else _whole(level)) for level in levels],
        [Tick(axes.x(begin), str(begin + 1)) for begin in from_images],
        bands,
        legend,
    )


def _area(axes: _Axes, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]) -> str:
    back = "".join(f"L{axes.x(k)} {axes.y(value)}" for k, value in reversed(low))
    return f"{axes.path(high)}{back}Z"


def _levels(top: float) -> list[float]:
    """Round numbers from 0 to `top`, four to ten of them."""
    step = 10 ** math.floor(math.log10(top))
    factor = next(factor for factor in (0.1, 0.2, 0.5, 1, 2) if top / (factor * step) <= 8)
    return [i * factor * step for i in range(int(top / (factor * step) + 1e-9) + 1)]


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
