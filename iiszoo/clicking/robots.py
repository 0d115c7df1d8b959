"""Robots: the person who looks at a prediction and clicks where it is wrong, one rule each.

A robot is written for a single sample, on numpy masks, and `single_sample` makes the batch form of the standard format:

    @single_sample
    def first_error(target, prediction, ignore, clicks, rng):
        error = target != prediction
        ...
        return by_polarity([(row, col)], target)

    pcs, ncs = first_error(outputs, targets, pcs, ncs)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.cards import RobotCard
from iiszoo.clicking._exact_distance import borrow, farthest_error, give_back
from iiszoo.protocol import Click, Clicks, Robot

Mask = NDArray[np.bool_]
Rule = Callable[..., tuple[Sequence[Click], Sequence[Click]]]
"""A single-sample rule: `rule(target, prediction, ignore, clicks, rng, **options) -> (positives, negatives)`."""


def single_sample(rule: Rule) -> Robot:
    """Decorator: a robot of the standard format from a rule for a single sample.

    The rule is called as `rule(target, prediction, ignore, clicks, rng, **options)` and returns its next click, as
    `([(row, col)], [])` if it is positive, `([], [(row, col)])` if it is negative, `([], [])` if there is none:

    - `target`, `prediction`: (H, W) bool arrays; a pixel is predicted as object where the output exceeds the threshold.
    - `ignore`: (H, W) bool array, True where a pixel counts neither way, or None.
    - `clicks`: all earlier clicks of the sample, positive and negative, oldest first.
    - `rng`: the sample's own `numpy.random.Generator`, or None where the caller gave none.
    - `options`: whatever keywords the caller gave beyond those of the standard format.

    The arrays may share memory with the caller's tensors and with the next call's: a rule neither writes into them nor
    keeps them.

    The robot is called as
    `robot(outputs, targets, pcs, ncs, n_points=1, *, ignore=None, generators=None, threshold=0.5, **options)`:

    - `outputs`: float tensor (B, 1, H, W) of probabilities, on any device; object is `outputs > threshold`, compared in
      the tensor's own type.
    - `targets`: bool, integer or float tensor (B, 1, H, W) in {0, 1}. A contiguous bool or uint8 tensor on the CPU is
      not copied.
    - `pcs`, `ncs`: earlier clicks, `[interaction][element][click]`.
    - `n_points`: how many clicks each element gets. They are placed one after another: the rule is called again with
      those placed so far among the earlier ones, until it has nothing more to click.
    - `ignore`: bool tensor (B, 1, H, W), or None.
    - `generators`: one for each element, or None.

    It returns `(pcs, ncs)`: new lists, one interaction longer. Its arguments stay as they are, and no element has any
    influence on another. ValueError where shapes or counts disagree, and where a rule calls a click positive on
    background or negative on the object: the polarity always comes from the target.
    """

    def robot(
        outputs: Tensor,
        targets: Tensor,
        pcs: Clicks,
        ncs: Clicks,
        n_points: int = 1,
        *,
        ignore: Tensor | None = None,
        generators: Sequence[np.random.Generator | None] | None = None,
        threshold: float = 0.5,
        **options: Any,
    ) -> tuple[Clicks, Clicks]:
        _check(outputs, targets, pcs, ncs, ignore, generators)
        target_masks = _as_masks(targets)
        ignore_masks = None if ignore is None else _as_masks(ignore)
        new_pcs: list[list[Click]] = []
        new_ncs: list[list[Click]] = []
        memory = borrow(outputs.numel())
        predictions = _above(outputs, threshold, memory)
        for b in range(len(predictions)):
            view = target_masks[b, 0], predictions[b, 0], None if ignore_masks is None else ignore_masks[b, 0]
            rng = None if generators is None else generators[b]
            clicks = [click for p, n in zip(pcs, ncs, strict=True) for click in (*p[b], *n[b])]
            positives, negatives = _several(rule, view, clicks, rng, n_points, options)
            new_pcs.append(positives)
            new_ncs.append(negatives)
        give_back(memory)
        return [*_copied(pcs), new_pcs], [*_copied(ncs), new_ncs]

    robot.__name__ = robot.__qualname__ = rule.__name__
    robot.__module__ = rule.__module__
    robot.__doc__ = rule.__doc__
    return robot


def _several(
    rule: Rule,
    view: tuple[Mask, Mask, Mask | None],
    clicks: list[Click],
    rng: np.random.Generator | None,
    n_points: int,
    options: dict[str, Any],
) -> tuple[list[Click], list[Click]]:
    """`n_points` clicks of one element, one after another; `view` is its target, prediction and ignored pixels."""
    positives: list[Click] = []
    negatives: list[Click] = []
    for _ in range(n_points):
        more_positives, more_negatives = rule(*view, clicks, rng, **options)
        if not more_positives and not more_negatives:
            break
        for click in more_positives:
            _check_polarity(rule, view[0], click, True)
        for click in more_negatives:
            _check_polarity(rule, view[0], click, False)
        positives.extend(more_positives)
        negatives.extend(more_negatives)
        clicks = [*clicks, *more_positives, *more_negatives]
    return positives, negatives


def by_polarity(points: Sequence[Click], target: Mask) -> tuple[list[Click], list[Click]]:
    """Part `points` into (positives, negatives): positive is what lies on the object of `target` (H, W) bool."""
    positives = [point for point in points if target[point]]
    negatives = [point for point in points if not target[point]]
    return positives, negatives


@single_sample
def ritm(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: np.random.Generator | None
) -> tuple[list[Click], list[Click]]:
    """The field's standard robot: click the pixel deepest inside the errors.

    Of the false negatives and of the false positives a map of exact Euclidean distances is taken: to the nearest pixel
    that is not such an error, be it correct, ignored, or beyond the image (the image border is a border). Both maps are
    zero at pixels clicked before. The click is positive if the maximum of the first map is strictly greater than that
    of the second, else negative, and lies on that map's first maximum in row-major order. No click where no error is
    left or all of its pixels were clicked. With `n_points` > 1 the points are placed one after another, each treating
    the earlier ones as clicked pixels. Nothing is random: `generators` are not used.

    Source: RITM (arXiv 2102.06583), `isegm/inference/clicker.py` of SamsungLabs/ritm_interactive_segmentation at
    b9b4460, with two differences. Where nothing is left to click, upstream clicks negative at (0, 0). And its distances
    are floats of OpenCV, whose last bits decide ties at random; here they are exact integers.
    """
    target_bytes, prediction_bytes = target.view(np.uint8), prediction.view(np.uint8)
    ignore_bytes = None if ignore is None else ignore.view(np.uint8)
    row, col, _ = farthest_error(target_bytes, prediction_bytes, ignore_bytes, _pixels(clicks))
    return by_polarity([(row, col)] if row >= 0 else [], target)


def load_ritm(card: RobotCard | None = None, **options: Any) -> Robot:
    """The `ritm` robot. It has no options; TypeError where some are given."""
    if options:
        raise TypeError(f"the robot ritm takes no options, but was given {', '.join(sorted(options))}")
    return ritm


def _check(
    outputs: Tensor, targets: Tensor, pcs: Clicks, ncs: Clicks, ignore: Tensor | None, generators: Sequence[Any] | None
) -> None:
    shape = outputs.shape
    if len(shape) != 4 or shape[1] != 1:
        raise ValueError(f"outputs must have shape (B, 1, H, W), not {tuple(shape)}")
    if targets.shape != shape:
        raise ValueError(f"targets {tuple(targets.shape)} and outputs {tuple(shape)} differ in shape")
    if ignore is not None and ignore.shape != shape:
        raise ValueError(f"ignore {tuple(ignore.shape)} and outputs {tuple(shape)} differ in shape")
    if generators is not None and len(generators) != shape[0]:
        raise ValueError(f"{len(generators)} generators were given for {shape[0]} elements")
    if len(pcs) != len(ncs):
        raise ValueError(f"pcs holds {len(pcs)} interactions, ncs {len(ncs)}")
    for clicks in (pcs, ncs):
        for interaction in clicks:
            if len(interaction) != shape[0]:
                raise ValueError(f"an interaction holds clicks of {len(interaction)} elements, outputs of {shape[0]}")


def _check_polarity(rule: Rule, target: Mask, click: Click, positive: bool) -> None:
    if bool(target[click]) is not positive:
        said, target_is = ("positive", "background") if positive else ("negative", "object")
        raise ValueError(f"robot {rule.__name__} made a {said} click at {click}, where the target is {target_is}")


def _as_masks(tensor: Tensor) -> Mask:
    """(B, 1, H, W) bool: not zero. Shares memory with a contiguous bool or uint8 tensor on the CPU."""
    array = tensor.detach().cpu().numpy()
    if array.dtype == np.uint8 and array.size and array.max() <= 1:
        array = array.view(np.bool_)  # its bytes are those of a bool array
    elif array.dtype != np.bool_:
        array = array != 0
    masks: Mask = np.ascontiguousarray(array)
    return masks


def _above(outputs: Tensor, threshold: float, memory: NDArray[np.uint8]) -> Mask:
    """`outputs > threshold` (B, 1, H, W) bool on the CPU, compared in the outputs' own type. In `memory` or not."""
    outputs = outputs.detach()
    if outputs.dtype is torch.float32 and outputs.device.type == "cpu":
        # One thread of numpy compares six times as fast as one of torch.
        above = memory[: outputs.numel()].view(np.bool_).reshape(outputs.shape)
        np.greater(outputs.numpy(), np.float32(threshold), out=above)
        return above
    # Compared where they are: a mask is a quarter of what would have to be copied from a GPU.
    on_device: Mask = (outputs > threshold).contiguous().cpu().numpy()
    return on_device


def _pixels(clicks: Sequence[Click]) -> NDArray[np.int64]:
    """(n, 2) rows (row, column): the pixels that hold the clicks."""
    if not clicks:
        return np.empty((0, 2), np.int64)
    points = np.array(clicks)
    return points if points.dtype == np.int64 else np.rint(points).astype(np.int64)


def _copied(clicks: Clicks) -> Clicks:
    return [[list(element) for element in interaction] for interaction in clicks]
