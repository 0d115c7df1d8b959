"""The metrics that a table can show, by name: where each is in a summary, its title, format and meaning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from iiszoo.data.initial_masks import INITIAL
from iiszoo.engine.metrics import NOC_TARGETS
from iiszoo.errors import BadOption
from iiszoo.names import parse_name

KNOWN = (
    "noc85, noc85_std, nof85, nof85_strict (also 80, 90, 95), initial_iou, iou@K, biou@K (after K clicks), auc, "
    "unrecorded, model_ms_median, model_ms_p95, robot_ms_median, robot_ms_p95, init_ms_median, spc_seconds"
)
"""Every name that `column` knows, for messages and help."""


@dataclass(frozen=True)
class Column:
    """A metric in a table. `value(summary)` is its figure, None if unknown, and `form(figure)` formats it; `meaning`
    explains it to the reader; `better` is "lower" or "higher" if runs can be ranked by it; `published`: papers state
    it, and their figure may stand beside it; `timed`: it depends on the machine.
    """

    title: str
    value: Callable[[dict[str, Any]], float | None]
    form: Callable[[float], str]
    meaning: str = ""
    better: Literal["", "lower", "higher"] = ""
    published: bool = False
    timed: bool = False


def chosen(text: str) -> tuple[str, ...]:
    """The metrics in a user's `noc85,nof90_strict,biou@5`. Raises `BadOption`, naming all known metrics."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        column(name)
    return names


def column(name: str) -> Column:
    """The column of a metric. Raises `BadOption` for an unknown name, naming all known metrics."""
    found = _TIMES.get(name) or _counted(name) or _after_clicks(name)
    if name == "auc":
        meaning = "AuC: mean of IoU@1, IoU@2, ... in %"
        found = Column("AuC", lambda summary: _metric(summary, "auc"), _percent, meaning, "higher")
    if name == "unrecorded":
        meaning = "made up: clicks of a recorded session where ritm clicked, for want of a recorded click, in %"
        found = Column("made up", lambda summary: _metric(summary, "unrecorded"), _percent, meaning)
    if name == "initial_iou":
        found = Column("initial IoU", initial_iou, _percent, "initial IoU: of the masks that sessions start from, in %")
    if found is None:
        raise BadOption(f"no metric is called {name!r}; metrics: {KNOWN}")
    return found


def initial_iou(summary: dict[str, Any]) -> float | None:
    """The mean IoU of the masks that a run's sessions start from; None if they start without."""
    found = _metric(summary, "initial_iou")
    return found if found or INITIAL in parse_name(summary["dataset"]).options else None


_COUNTED: dict[str, tuple[str, str, bool]] = {
    "noc": ("NoC@{}", "NoC: mean number of clicks to reach an IoU", True),
    "noc_std": ("NoC@{} std", "std: standard deviation over samples", False),
    "nof": ("NoF@{}", "NoF: samples that took all clicks", False),
    "nof_strict": ("NoF@{} strict", "NoF strict: samples that never reached the IoU", False),
}
"""Title, meaning, and whether papers state it, of each metric that counts until an IoU is reached."""


def _counted(name: str) -> Column | None:
    found = re.fullmatch(r"(noc|nof)(\d\d)(|_std|_strict)", name)
    goals = [f"{round(100 * target)}" for target in NOC_TARGETS]
    if found is None or found[2] not in goals or found[1] + found[3] not in _COUNTED:
        return None
    title, meaning, published = _COUNTED[found[1] + found[3]]
    form = _whole if found[1] == "nof" else _two_digits
    better: Literal["", "lower"] = "" if found[3] == "_std" else "lower"
    return Column(title.format(found[2]), lambda summary: _metric(summary, name), form, meaning, better, published)


def _after_clicks(name: str) -> Column | None:
    """`iou@5` and `biou@5`: values of a curve; those past the last click are unknown."""
    found = re.fullmatch(r"(b?)iou@(\d+)", name)
    if found is None:
        return None
    curve, k = "boundary_iou" if found[1] else "iou", int(found[2])

    def value(summary: dict[str, Any]) -> float | None:
        values = summary["metrics"].get(curve, [])
        return values[k] if k < len(values) else None

    meaning = "BIoU: Boundary IoU in %" if found[1] else ""
    return Column(f"{'BIoU' if found[1] else 'IoU'}@{k}", value, _percent, meaning, "higher")


def _metric(summary: dict[str, Any], name: str) -> float | None:
    value: float | None = summary["metrics"].get(name)
    return value


def _time(title: str, name: str, meaning: str = "") -> Column:
    return Column(title, lambda summary: summary["times"].get(name), _three_digits, meaning, timed=True)


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


_TIMES = {
    "model_ms_median": _time("ms/click", "model_ms_median"),
    "model_ms_p95": _time("ms/click p95", "model_ms_p95", "p95: 95th percentile"),
    "robot_ms_median": _time("robot ms/click", "robot_ms_median", "robot: choosing a click and scoring"),
    "robot_ms_p95": _time("robot ms/click p95", "robot_ms_p95", "p95: 95th percentile"),
    "init_ms_median": _time("init ms", "init_ms_median", "init: the image's encoding, divided by its samples"),
    "spc_seconds": _time("SPC s", "spc_seconds", "SPC: seconds per click, everything included"),
}
