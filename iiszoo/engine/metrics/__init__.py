"""Every metric: of a prediction, and of the traces of a run.

- `definitions`: one prediction against one target, on arrays: IoU, Dice, Boundary IoU, precision, recall, F-beta, pixel
  accuracy, MAE, MSE.
- `fast`: IoU and Boundary IoU of many predictions against one target, equal to the definitions.
- `of_repeats`: of one model's runs with several robots or seeds: NSR, dGR, dSB.
- `bootstrap`: intervals of means, differences and savings.
- `of_traces`: over a run's sessions: NoC, NoF, IoU@k, Boundary IoU@k, area under the curve, times.
"""

from __future__ import annotations

from iiszoo.engine.metrics.definitions import (
    Confusion,
    boundary_iou,
    boundary_width,
    confusion,
    dice,
    f_beta,
    iou,
    mae,
    mse,
    pixel_accuracy,
    precision,
    recall,
)
from iiszoo.engine.metrics.fast import PreparedTarget, Score, prepare, score
from iiszoo.engine.metrics.of_traces import (
    NOC_TARGETS,
    area_under_curve,
    boundary_iou_at,
    boundary_iou_curve,
    iou_at,
    iou_curve,
    metrics_of,
    noc,
    reached,
    seconds_per_click,
    times_of,
)

__all__ = [
    "NOC_TARGETS",
    "Confusion",
    "PreparedTarget",
    "Score",
    "area_under_curve",
    "boundary_iou",
    "boundary_iou_at",
    "boundary_iou_curve",
    "boundary_width",
    "confusion",
    "dice",
    "f_beta",
    "iou",
    "iou_at",
    "iou_curve",
    "mae",
    "metrics_of",
    "mse",
    "noc",
    "pixel_accuracy",
    "precision",
    "prepare",
    "reached",
    "recall",
    "score",
    "seconds_per_click",
    "times_of",
]
