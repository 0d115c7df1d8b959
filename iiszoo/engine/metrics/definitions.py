"""Metrics of one prediction against one target, on arrays of any shape; for Boundary IoU (H, W).

All take `prediction`, float probabilities in [0, 1] (or bool), `target`, bool, and `ignore`, bool or None, of one
shape; all raise `ValueError` if the shapes differ. A pixel is predicted as object if its probability is above
`threshold`. Ignored pixels are left out: the values of the other arrays there do not matter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.floating[Any]] | NDArray[np.bool_]
    Mask = NDArray[np.bool_]

DILATION_RATIO = 0.02
"""The width of a boundary, as a fraction of the image's diagonal."""


class Confusion(NamedTuple):
    """Numbers of counted pixels: object found, background predicted as object, object missed, background in both."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


def confusion(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> Confusion:
    """The agreement of prediction and target; the ratios below are of these four numbers TP, FP, FN, TN."""
    _check(prediction, target, ignore)
    predicted = prediction > np.float32(threshold)
    wanted, n_counted = target, target.size
    if ignore is not None:
        predicted, wanted = predicted & ~ignore, target & ~ignore
        n_counted -= int(np.count_nonzero(ignore))
    both = int(np.count_nonzero(predicted & wanted))
    n_predicted, n_wanted = int(np.count_nonzero(predicted)), int(np.count_nonzero(wanted))
    return Confusion(both, n_predicted - both, n_wanted - both, n_counted - n_predicted - n_wanted + both)


def iou(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> float:
    """Intersection over union (Jaccard): TP / (TP + FP + FN); 1 if both masks are empty.

    Ignored pixels as in RITM (b9b4460, `get_iou`), which has no rule for the empty case.
    """
    tp, fp, fn, _ = confusion(prediction, target, ignore, threshold)
    return _ratio(tp, tp + fp + fn, 1.0)


def dice(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> float:
    """Dice coefficient: 2 TP / (2 TP + FP + FN), which is F1; 1 if both masks are empty.

    Source: Dice, "Measures of the amount of ecologic association between species", Ecology 26(3), 1945.
    """
    return f_beta(prediction, target, ignore, threshold, beta=1.0)


def precision(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> float:
    """TP / (TP + FP): the fraction of the predicted pixels that are object.

    If nothing is predicted, it is 1 if the target is empty, else 0. Source of this, `recall` and `f_beta`: van
    Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7.
    """
    tp, fp, fn, _ = confusion(prediction, target, ignore, threshold)
    return _ratio(tp, tp + fp, float(fn == 0))


def recall(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> float:
    """TP / (TP + FN): the fraction of the object that is predicted.

    If the target is empty, it is 1 if nothing is predicted, else 0.
    """
    tp, fp, fn, _ = confusion(prediction, target, ignore, threshold)
    return _ratio(tp, tp + fn, float(fp == 0))


def f_beta(
    prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5, *, beta: float = 1.0
) -> float:
    """(1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP): recall counts `beta` times as much as precision.

    It is the weighted harmonic mean of the two, 0 if either is 0; 1 if both masks are empty. Raises `ValueError` if
    `beta` is not above 0.
    """
    if not beta > 0:
        raise ValueError(f"beta must be above 0, not {beta}")
    tp, fp, fn, _ = confusion(prediction, target, ignore, threshold)
    weight = beta * beta
    return _ratio((1 + weight) * tp, (1 + weight) * tp + weight * fn + fp, 1.0)


def pixel_accuracy(prediction: Values, target: Mask, ignore: Mask | None = None, threshold: float = 0.5) -> float:
    """(TP + TN) / (TP + FP + FN + TN): correct pixels over counted pixels, background included; 1 if none counts.

    Source: Long et al., arXiv 1411.4038, `pixel accuracy`, for two classes.
    """
    tp, fp, fn, tn = confusion(prediction, target, ignore, threshold)
    return _ratio(tp + tn, tp + fp + fn + tn, 1.0)


def boundary_iou(
    prediction: Values,
    target: Mask,
    ignore: Mask | None = None,
    threshold: float = 0.5,
    *,
    dilation_ratio: float = DILATION_RATIO,
) -> float:
    """Boundary IoU of `prediction > threshold` and `target`: the IoU of the two masks' boundaries.

    The arrays are (H, W): `prediction` float probabilities or bool, `target` and `ignore` bool. A mask's boundary is
    its pixels no farther than `boundary_width` from background, in chessboard distance; outside the image is
    background, so that the image's border counts as a border. Source: Cheng et al., arXiv 2103.16562, and its
    repository bowenc0221/boundary-iou-api (8006aa9, `mask_to_boundary`): erosion by a square of 3 x 3 pixels, once per
    pixel of that width.

    Neither source defines ignored pixels. Here they become background in both masks before boundaries are taken: their
    values never matter, and a prediction that is right everywhere else scores 1. If both masks are empty, it is 1.
    Raises `ValueError` if shapes differ.
    """
    _check(prediction, target, ignore)
    if target.ndim != 2:
        raise ValueError(f"target {target.shape} must be (H, W)")
    counted = np.ones_like(target) if ignore is None else ~ignore
    height, columns = target.shape
    width = boundary_width(height, columns, dilation_ratio)
    predicted = _boundary((prediction > np.float32(threshold)) & counted, width)
    wanted = _boundary(target & counted, width)
    return _ratio(int(np.count_nonzero(predicted & wanted)), int(np.count_nonzero(predicted | wanted)), 1.0)


def _boundary(mask: Mask, width: int) -> Mask:
    """The pixels of a mask (H, W) no farther than `width` from background."""
    outside = np.pad(mask, 1).astype(np.uint8)
    inner = cv2.erode(outside, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    boundary: Mask = mask & (inner == 0)
    return boundary


def boundary_width(height: int, width: int, dilation_ratio: float = DILATION_RATIO) -> int:
    """The width of a boundary in pixels: that fraction of the image's diagonal, rounded (half to even), at least 1.

    Source: boundary-iou-api 8006aa9, `mask_to_boundary`; 2 % of the diagonal is its default.
    """
    return max(1, round(dilation_ratio * math.sqrt(height * height + width * width)))


def mae(prediction: Values, target: Mask, ignore: Mask | None = None) -> float:
    """Mean absolute error |p - t| of the probabilities over counted pixels; 0 if none counts.

    Source: Perazzi et al., "Saliency Filters", CVPR 2012.
    """
    return _mean(np.abs(_errors(prediction, target, ignore)))


def mse(prediction: Values, target: Mask, ignore: Mask | None = None) -> float:
    """Mean squared error (p - t)^2 of the probabilities over counted pixels; 0 if none counts.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78(1), 1950.
    """
    return _mean(np.square(_errors(prediction, target, ignore)))


def _errors(prediction: Values, target: Mask, ignore: Mask | None) -> NDArray[np.float64]:
    _check(prediction, target, ignore)
    errors = prediction.astype(np.float64) - target
    return errors if ignore is None else errors[~ignore]


def _check(prediction: Values, target: Mask, ignore: Mask | None) -> None:
    if prediction.shape != target.shape or (ignore is not None and ignore.shape != target.shape):
        shapes = f"prediction {prediction.shape}, target {target.shape}"
        raise ValueError(f"{shapes}{'' if ignore is None else f', ignore {ignore.shape}'} must have one shape")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty
