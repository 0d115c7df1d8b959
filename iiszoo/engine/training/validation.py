"""Validation of a network during training: NoC and IoU of sessions on a validation set."""

from __future__ import annotations

from typing import Any

import torch

from iiszoo.clicking.loading import load_robot
from iiszoo.data.base import EvaluationDataset
from iiszoo.engine import pipeline
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.metrics.of_traces import iou_at, metrics_of
from iiszoo.engine.runs.trace import Trace
from iiszoo.models.click_model import ClickModel
from iiszoo.protocol import Model


def validate(
    model: ClickModel, dataset: EvaluationDataset, rules: ResolvedProtocol, device: str, batch_size: int, limit: int
) -> dict[str, Any]:
    """NoC@85, NoC@90, the sessions that never reach an IoU of 0.90, and IoU after 1 and 5 clicks, on `dataset`.

    cuDNN's search for the fastest algorithm (`torch.backends.cudnn.benchmark`) is off: batches shrink as sessions end,
    and it would start again at each size.
    """
    traces: list[Trace] = []
    chosen = by_image(dataset[:limit])
    wrapped = Model(model, "the network in training", None, device)
    quick = torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=torch.backends.cudnn.allow_tf32)  # type: ignore[no-untyped-call]
    with torch.no_grad(), quick:
        pipeline.run(wrapped, load_robot(rules.robot), dataset, chosen, rules, traces.append, batch_size=batch_size)
    found = metrics_of(traces, rules.max_clicks, rules.target_iou)
    return {
        "noc85": found["noc85"],
        "noc90": found["noc90"],
        "nof90": found["nof90_strict"],
        "iou1": sum(iou_at(trace, 1) for trace in traces) / len(traces),
        "iou5": sum(iou_at(trace, 5) for trace in traces) / len(traces),
    }
