"""Losses for an object against its background, one value per element of a batch, so that they can be summed.

Each is called as `loss(logits, targets, valid, ...)`: `logits` (B, 1, H, W) of any float type; `targets` (B, 1, H, W)
in [0, 1]; `valid` bool (B, 1, H, W), False for ignored pixels, or None. It returns (B,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

_TINY = 1e-12
_PIXELS = (1, 2, 3)


def normalised_focal(
    logits: Tensor, targets: Tensor, valid: Tensor | None = None, *, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """The focal loss with weights scaled, per element, to a mean of 1, so that it does not fade as the network learns.
    The scale has no gradient. `alpha` weights the object, 1 - `alpha` the background.

    Source: `NormalizedFocalLossSigmoid` (`isegm/model/losses.py`) of SamsungLabs/ritm_interactive_segmentation at
    b9b4460; first in Sofiiuk et al., AdaptIS, ICCV 2019 (arXiv 1909.07829).
    """
    weights = _weights(targets, valid)
    probability = logits.sigmoid()
    right = torch.where(weights > 0, 1 - (targets - probability).abs(), 1.0)
    focus = (1 - right) ** gamma
    with torch.no_grad():
        scale = weights.sum(_PIXELS, keepdim=True) / (focus.sum(_PIXELS, keepdim=True) + _TINY)
    balance = torch.where(targets > 0.5, alpha, 1 - alpha) * weights
    loss = -balance * focus * scale * (right + _TINY).clamp(max=1).log()
    return loss.sum(_PIXELS) / (weights.sum(_PIXELS) + _TINY)


def bce(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, the mean over the valid pixels."""
    return _mean(F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none"), targets, valid)


def focal(
    logits: Tensor, targets: Tensor, valid: Tensor | None = None, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """torchvision's focal loss (Lin et al., arXiv 1708.02002), the mean over the valid pixels."""
    from torchvision.ops import sigmoid_focal_loss

    return _mean(sigmoid_focal_loss(logits, targets.to(logits.dtype), alpha, gamma), targets, valid)


def soft_iou(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """1 - sum(p t) / sum(max(p, t)): one minus the IoU of probabilities and target. Source: `SoftIoU` of RITM,
    b9b4460.
    """
    probability, weights = logits.sigmoid(), _weights(targets, valid)
    both = (probability * targets * weights).sum(_PIXELS)
    either = (torch.maximum(probability, targets.to(probability.dtype)) * weights).sum(_PIXELS)
    return 1 - both / (either + 1e-8)


def dice(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """1 - 2 sum(p t) / (sum p + sum t), with 1 added to numerator and denominator (Milletari et al., V-Net, 2016)."""
    probability, weights = logits.sigmoid(), _weights(targets, valid)
    both = (probability * targets * weights).sum(_PIXELS)
    return 1 - (2 * both + 1) / (((probability + targets) * weights).sum(_PIXELS) + 1)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "normalised-focal": normalised_focal,
    "bce": bce,
    "focal": focal,
    "soft-iou": soft_iou,
    "dice": dice,
}


def weighted_sum(terms: Sequence[tuple[float, str, dict[str, Any]]]) -> Loss:
    """One loss from terms (weight, name in `LOSSES`, keywords). Computed in float32, or in float64 if logits are."""
    parts = [(weight, partial(LOSSES[name], **options)) for weight, name, options in terms]

    def loss(logits: Tensor, targets: Tensor, valid: Tensor | None) -> Tensor:
        logits = logits if logits.dtype is torch.float64 else logits.float()
        return torch.stack([weight * part(logits, targets, valid) for weight, part in parts]).sum(0)

    return loss


def _weights(targets: Tensor, valid: Tensor | None) -> Tensor:
    like = targets if targets.is_floating_point() else targets.float()
    return torch.ones_like(like) if valid is None else valid.to(like.dtype)


def _mean(values: Tensor, targets: Tensor, valid: Tensor | None) -> Tensor:
    weights = _weights(targets, valid)
    return (values * weights).sum(_PIXELS) / (weights.sum(_PIXELS) + _TINY)
