"""Every metric: of a prediction, and of the traces of a run.

- `mask_metrics`: one prediction against one target, on arrays: IoU, Dice, precision, recall, F-beta, pixel accuracy,
  MAE, MSE.
- `boundary`: Boundary IoU, and IoU beside it for many predictions against one target.
- `trace_metrics`: what a run's sessions say together: NoC, NoF, IoU@k, Boundary IoU@k, area under the curve, times.
"""

from __future__ import annotations

from iiszoo.engine.boundary import PreparedTarget, Score, boundary_iou, boundary_width, prepare, score
from iiszoo.engine.mask_metrics import (
    Confusion,
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
from iiszoo.engine.trace_metrics import (
    NOC_TARGETS,
    area_under_curve,
    boundary_iou_at,
    boundary_iou_curve,
    iou_at,
    iou_curve,
    noc,
    reached,
    seconds_per_click,
    summarise,
    summarise_times,
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
    "mse",
    "noc",
    "pixel_accuracy",
    "precision",
    "prepare",
    "reached",
    "recall",
    "score",
    "seconds_per_click",
    "summarise",
    "summarise_times",
]
