"""Turns a rule for a single sample, on numpy masks, into a robot of the standard format, on batches of tensors.

>>> @single_sample
... def first_error(target, prediction, ignore, clicks, rng):
...     return [tuple(pixel) for pixel in np.argwhere(target != prediction)[:1]]
>>> outputs, targets = torch.zeros(1, 1, 4, 4), torch.eye(4)[None, None]
>>> first_error(outputs, targets, [], [])
([[[(0, 0)]]], [[[]]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.clicking._exact_distance import borrow, give_back
from iiszoo.protocol import Click, Clicks

Mask = NDArray[np.bool_]
Points = Sequence[tuple[Any, Any]]
"""(row, col) pixels; any integers."""
Rule = Callable[..., Points]
"""A single-sample rule: `rule(target, prediction, ignore, clicks, rng, **options) -> points`."""


def single_sample(rule: Rule, *, draws: bool = True) -> Callable[..., tuple[Clicks, Clicks]]:
    """Decorator: a robot of the standard format from a rule for a single sample.

    The rule is called as `rule(target, prediction, ignore, clicks, rng, **options)` and returns the pixels to click
    next, `[(row, col)]`, or `[]` if there is nothing to click. The rule does not decide whether a click is positive:
    that is the value of the target at the pixel.

    - `target`, `prediction`: (H, W) bool arrays; a pixel is predicted as object if the output exceeds the threshold.
    - `ignore`: (H, W) bool array, True where a pixel counts neither way, or None.
    - `clicks`: all earlier clicks of the sample, positive and negative, oldest first.
    - `rng`: the sample's own `numpy.random.Generator`; if the caller gives none, one seeded from torch's default
      generator. None for a deterministic rule, decorated with `partial(single_sample, draws=False)`.
    - `options`: the caller's keywords beyond those of the standard format.

    The arrays may share memory with the caller's tensors and with the next call's: a rule must neither modify nor keep
    them.

    The robot is called as
    `robot(outputs, targets, pcs, ncs, n_points=1, *, ignore=None, generators=None, threshold=0.5, samples=None,
    **options)`:

    - `outputs`: float tensor (B, 1, H, W) of probabilities, on any device; object is `outputs > threshold`, compared in
      the tensor's own dtype.
    - `targets`: bool, integer or float tensor (B, 1, H, W) in {0, 1}. A contiguous bool or uint8 tensor on the CPU is
      not copied.
    - `pcs`, `ncs`: earlier clicks, `[interaction][element][click]`.
    - `n_points`: the number of clicks per element. They are placed one after another: the rule is called again with the
      clicks placed so far among the earlier ones, until it has nothing more to click.
    - `ignore`: bool tensor (B, 1, H, W), or None.
    - `generators`: one per element, or None.
    - `samples`: the elements' sample ids, or None; rules do not see them.

    It returns `(pcs, ncs)`: new lists, one interaction longer. The arguments are not modified, and elements do not
    influence each other. ValueError if shapes or counts disagree, or if a rule clicks outside the image.
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
        samples: Sequence[str] | None = None,
        **options: Any,
    ) -> tuple[Clicks, Clicks]:
        _check(outputs, targets, pcs, ncs, ignore, generators)
        target_masks = as_masks(targets)
        ignore_masks = None if ignore is None else as_masks(ignore)
        new_pcs: list[list[Click]] = []
        new_ncs: list[list[Click]] = []
        memory = borrow(outputs.numel())
        predictions = _above(outputs, threshold, memory)
        for b in range(len(predictions)):
            view = target_masks[b, 0], predictions[b, 0], None if ignore_masks is None else ignore_masks[b, 0]
            clicks = [click for p, n in zip(pcs, ncs, strict=True) for click in (*p[b], *n[b])]
            rng = generator(generators, b) if draws else None
            points = _several(rule, view, clicks, rng, n_points, options)
            positives, negatives = by_polarity(points, view[0])
            new_pcs.append(positives)
            new_ncs.append(negatives)
        give_back(memory)
        return [*copied(pcs), new_pcs], [*copied(ncs), new_ncs]

    robot.__name__ = robot.__qualname__ = rule.__name__
    robot.__module__ = rule.__module__
    robot.__doc__ = rule.__doc__
    return robot


def by_polarity(points: Points, target: Mask) -> tuple[list[Click], list[Click]]:
    """Split `points` into (positives, negatives): positive are those on the object of `target` (H, W) bool."""
    positives = [(int(row), int(col)) for row, col in points if target[row, col]]
    negatives = [(int(row), int(col)) for row, col in points if not target[row, col]]
    return positives, negatives


def generator(generators: Sequence[np.random.Generator | None] | None, b: int) -> np.random.Generator:
    """The generator of element `b`; if there is none, one seeded from torch's default generator."""
    given = None if generators is None else generators[b]
    return np.random.default_rng(int(torch.randint(2**62, ()))) if given is None else given


def as_masks(tensor: Tensor) -> Mask:
    """(B, 1, H, W) bool, True where not zero. Shares memory with a contiguous bool or uint8 tensor on the CPU."""
    array = tensor.detach().cpu().numpy()
    if array.dtype == np.uint8 and array.size and array.max() <= 1:
        array = array.view(np.bool_)  # its bytes are those of a bool array
    elif array.dtype != np.bool_:
        array = array != 0
    masks: Mask = np.ascontiguousarray(array)
    return masks


def _several(
    rule: Rule,
    view: tuple[Mask, Mask, Mask | None],
    clicks: list[Click],
    rng: np.random.Generator | None,
    n_points: int,
    options: dict[str, Any],
) -> Points:
    """`n_points` clicks of one element, one after another; `view` is its target, prediction and ignored pixels."""
    height, width = view[0].shape
    points: list[Click] = []
    while len(points) < n_points:
        more = rule(*view, [*clicks, *points], rng, **options)
        for row, col in more:
            if not (0 <= row < height and 0 <= col < width):
                name = getattr(rule, "__name__", repr(rule))
                raise ValueError(f"robot {name} clicked at {(row, col)}, outside an image of {height} x {width}")
        if not len(more):
            break
        points.extend((int(row), int(col)) for row, col in more)
    return points


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
        raise ValueError(f"pcs has {len(pcs)} interactions, ncs {len(ncs)}")
    for clicks in (pcs, ncs):
        for interaction in clicks:
            if len(interaction) != shape[0]:
                raise ValueError(f"an interaction has clicks of {len(interaction)} elements, outputs has {shape[0]}")


def _above(outputs: Tensor, threshold: float, memory: NDArray[np.uint8]) -> Mask:
    """`outputs > threshold` (B, 1, H, W) bool on the CPU, compared in the outputs' own dtype; it may use `memory`."""
    outputs = outputs.detach()
    if outputs.dtype is torch.float32 and outputs.device.type == "cpu":
        # On one thread numpy compares six times as fast as torch.
        above = memory[: outputs.numel()].view(np.bool_).reshape(outputs.shape)
        np.greater(outputs.numpy(), np.float32(threshold), out=above)
        return above
    # Compared on their device: a mask is a quarter of the bytes to copy from a GPU.
    on_device: Mask = (outputs > threshold).contiguous().cpu().numpy()
    return on_device


def copied(clicks: Clicks) -> Clicks:
    """New lists down to each element's; the clicks themselves are immutable."""
    return [[list(element) for element in interaction] for interaction in clicks]
