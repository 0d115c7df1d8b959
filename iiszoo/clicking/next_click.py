"""The next click of a training session, for a whole batch at once, on the device of the predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from iiszoo.clicking.batch_distance import squared_distances


def candidates(
    probabilities: Tensor, targets: Tensor, threshold: float = 0.5, share: float = 0.5, ignore: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The pixels where the next click may fall, bool (B, H, W), and whether it is positive, bool (B,).

    They are in the error (false negative or false positive) with the greatest distance, and their distance inside it
    exceeds `share` times the greatest; in a tie the false positive wins. Distances are exact.

    Args:
        probabilities: (B, 1, H, W); a pixel exactly at `threshold` is never an error.
        targets: (B, 1, H, W); a pixel is object above 0.5.
        ignore: bool (B, 1, H, W): pixels that are never an error.

    Source: `get_next_points` (`isegm/engine/trainer.py`) of SamsungLabs/ritm_interactive_segmentation at b9b4460, whose
    distances are OpenCV's, accurate to 2 %.
    """
    probability, wanted = probabilities[:, 0], targets[:, 0] > 0.5
    errors = torch.stack((wanted & (probability < threshold), ~wanted & (probability > threshold)))
    if ignore is not None:
        errors &= ~ignore[:, 0]
    squares = squared_distances(errors)
    deepest = squares.amax((-2, -1))  # (2, B)
    positive = deepest[0] > deepest[1]
    chosen = torch.where(positive[:, None, None], squares[0], squares[1])
    bound = deepest.amax(0).double() * share**2
    return chosen > bound[:, None, None], positive


def next_clicks(
    probabilities: Tensor,
    targets: Tensor,
    draws: Tensor,
    threshold: float = 0.5,
    share: float = 0.5,
    ignore: Tensor | None = None,
) -> Tensor:
    """One click per element, uniform over its `candidates`: int64 (B, 3), row, column and 1 for positive.

    `draws` (B,) in [0, 1) are the random numbers; row and column are -1 if there is no candidate. This does not wait
    for the device.
    """
    where, positive = candidates(probabilities, targets, threshold, share, ignore)
    width = where.shape[-1]
    order = where.flatten(1).cumsum(1, dtype=torch.int32)
    count = order[:, -1]
    nth = (draws.to(order.device).double() * count).int().clamp(max=(count - 1).clamp(min=0)) + 1
    pixel = torch.searchsorted(order, nth[:, None]).squeeze(1)
    some = count > 0
    at = (torch.where(some, values, -1) for values in (pixel // width, pixel % width))
    return torch.stack((*at, (positive & some).long()), 1)
