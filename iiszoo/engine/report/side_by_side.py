"""The samples in which models differ most, each with the final masks of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iiszoo.engine.comparison.pairs import Goal, goal_of
from iiszoo.engine.metrics import iou_at
from iiszoo.engine.report.charts import Series
from iiszoo.engine.report.pictures import Album, Sample, caption, marks
from iiszoo.engine.runs.trace import Trace

N_SHOWN = 6


@dataclass(frozen=True)
class SideBySide:
    """One sample in several runs, in their order; each of `shown` is a run's label, its style, and what it did."""

    sample: str
    shown: list[tuple[str, int, Sample]]


def side_by_side(series: Sequence[Series], n: int = N_SHOWN) -> list[SideBySide]:
    """The `n` samples with the largest difference of NoC between any two runs, then of final IoU; without those in
    which all runs do the same. [] if there are not several runs, with samples in common.
    """
    if len(series) < 2:
        return []
    goal = goal_of([one.summary for one in series])
    by_sample = [{trace.sample: trace for trace in one.traces} for one in series]
    common = [sample for sample in by_sample[0] if all(sample in traces for traces in by_sample)]
    spreads = {sample: _spread([traces[sample] for traces in by_sample], goal) for sample in common}
    chosen = sorted((sample for sample in common if any(spreads[sample])), key=lambda one: spreads[one], reverse=True)
    return [
        SideBySide(
            sample,
            [
                (one.label, one.style, Sample(trace, caption(trace, goal.iou, goal.max_clicks), marks(trace)))
                for one, traces in zip(series, by_sample, strict=True)
                for trace in [traces[sample]]
            ],
        )
        for sample in chosen[:n]
    ]


def _spread(traces: Sequence[Trace], goal: Goal) -> tuple[int, float]:
    clicks = [goal.noc(trace) for trace in traces]
    ious = [iou_at(trace, goal.max_clicks) for trace in traces]
    return max(clicks) - min(clicks), max(ious) - min(ious)


def pictured(one: SideBySide, album: Album) -> SideBySide:
    """The sample with its pictures, which show the same part of the image in every run. Raises as `Album.pictures`."""
    pairs = album.pictures([sample.trace for _, _, sample in one.shown])
    shown = [
        (label, style, replace(sample, picture=whole, crop=crop))
        for (label, style, sample), (whole, crop) in zip(one.shown, pairs, strict=True)
    ]
    return SideBySide(one.sample, shown)
