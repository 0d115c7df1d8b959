"""Robots: simulated users who click where a prediction is wrong, each by one rule.

    >>> import torch
    >>> outputs, targets = torch.zeros(1, 1, 5, 7), torch.ones(1, 1, 5, 7)  # an object of 5 x 7 pixels, all missed
    >>> ritm(outputs, targets, [], [])
    ([[[(2, 2)]]], [[[]]])

The errors of a sample are its false negatives (object not predicted) and its false positives (background predicted as
object); ignored pixels are neither. E is the union of both. If E is empty, no robot clicks. `single_sample` explains
how to call a robot and how to write one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from iiszoo.cards import RobotCard
from iiszoo.clicking._exact_distance import farthest_error
from iiszoo.clicking.regions import (
    connected_components,
    inner_border_band,
    inscribed_circle,
    largest_component,
    squared_distances,
)
from iiszoo.clicking.robot_argument import numbers
from iiszoo.clicking.single_sample import Mask, single_sample
from iiszoo.errors import BadOption
from iiszoo.protocol import Click, Robot

Rng = np.random.Generator


def errors(target: Mask, prediction: Mask, ignore: Mask | None) -> tuple[Mask, Mask]:
    """(false negatives, false positives), bool (H, W) each, without ignored pixels."""
    valid = True if ignore is None else ~ignore
    return target & ~prediction & valid, prediction & ~target & valid


@single_sample
def random(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """A pixel drawn uniformly from the image without ignored pixels, whatever the prediction; none if E is empty."""
    if not any(error.any() for error in errors(target, prediction, ignore)):
        return []
    return _uniform(np.ones_like(target) if ignore is None else ~ignore, rng)


@single_sample
def random_false(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """A pixel drawn uniformly from E."""
    false_negative, false_positive = errors(target, prediction, ignore)
    return _uniform(false_negative | false_positive, rng)


@single_sample
def random_largest(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """A pixel drawn uniformly from the largest 4-connected component of E.

    False negatives and false positives that touch are separate components. Of equally large components, false positives
    come first, then row-major order decides.
    """
    return _uniform(_largest_error(*errors(target, prediction, ignore), largest_component), rng)


@single_sample
def distance(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """A pixel of E drawn with a probability proportional to its Euclidean distance to the nearest pixel outside E.

    Everything beyond the image is outside: the image border is a border. Several points are drawn independently.
    """
    false_negative, false_positive = errors(target, prediction, ignore)
    return _by_distance(false_negative | false_positive, rng)


@single_sample
def distance_sequential(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """As `distance`, but earlier clicks, also those of this interaction, count as outside E: clicks keep apart."""
    false_negative, false_positive = errors(target, prediction, ignore)
    left = false_negative | false_positive
    _remove(left, clicks)
    return _by_distance(left, rng)


@partial(single_sample, draws=False)
def center_largest(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
    """The deepest pixel of the largest 8-connected component of the errors.

    False negatives and false positives are separate components; of equally large ones, false positives come first, then
    row-major order decides. The pixel is the one farthest from the component's outside (the image border is a border),
    earlier clicks excluded; of equals, the first in row-major order. A component whose pixels were all clicked is
    skipped.

    Source: Getting to 99% Accuracy (arXiv 2003.07932), except for the two points listed in `gto99`.
    """
    return _center_of_largest(*errors(target, prediction, ignore), clicks, partial(largest_component, connectivity=8))


@partial(single_sample, draws=False)
def gto99(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
    """The robot of GTO99's repository. It differs from `center_largest` in two points.

    Earlier clicks are not avoided: if the prediction does not change, the same pixel is clicked again, and with
    `n_points` > 1 all points coincide. And of equally large components of one kind of error, the first is not the one
    with the first pixel but the one with the first 2x2 block (`_largest_by_blocks`), both in row-major order.

    Upstream predicts object where alpha >= 0.5, a robot where `outputs > threshold`. For float32 outputs both agree at
    the threshold 0.49999997, the next number below 0.5, and also at 0.5 if no output is exactly 0.5. After a positive
    click no output of gto99/resnet50 is exactly 0.5.

    Source: Getting to 99% Accuracy (arXiv 2003.07932), `robot_click` in `interaction.py` of
    MarcoForte/DeepInteractiveSegmentation at ddd7426, with two differences: if nothing is wrong, upstream clicks
    negative at the last pixel; and its distances are OpenCV floats, while these are exact integers.
    """
    return _center_of_largest(*errors(target, prediction, ignore), [], _largest_by_blocks)


@partial(single_sample, draws=False)
def ritm(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
    """The field's standard robot: click the pixel deepest inside the errors.

    False negatives and false positives each have a map of exact Euclidean distances to the nearest pixel that is not
    such an error: correct, ignored, or beyond the image (the image border is a border). Both maps are zero at pixels
    clicked before. The click is positive if the maximum of the first map is strictly greater than that of the second,
    else negative, and lies on the first maximum of that map in row-major order. No click if no error is left or all of
    its pixels were clicked. With `n_points` > 1 the points are placed one after another, each treating the earlier ones
    as clicked pixels. Nothing is random: `generators` are not used.

    Source: RITM (arXiv 2102.06583), `isegm/inference/clicker.py` of SamsungLabs/ritm_interactive_segmentation at
    b9b4460, with two differences: if nothing is left to click, upstream clicks negative at (0, 0); and its distances
    are OpenCV floats, whose last bits decide ties arbitrarily, while these are exact integers.
    """
    point = ritm_point(target, prediction, ignore, clicks)
    return [] if point is None else [point]


@single_sample
def noisy_ritm(
    target: Mask,
    prediction: Mask,
    ignore: Mask | None,
    clicks: Sequence[Click],
    rng: Rng,
    *,
    sigma: float = 0.5,
) -> list[tuple[int, int]]:
    """A less exact person than `ritm`: its point, displaced at random inside the same error component.

    The component is the 4-connected one, of false negatives or of false positives, that contains the point of `ritm`.
    A pixel of it is drawn with a probability proportional to a Gaussian around that point, whose standard deviation is
    `sigma` (0 or more) times the radius of the component's inscribed circle; 0 is `ritm` itself.
    """
    point = ritm_point(target, prediction, ignore, clicks)
    if point is None:
        return []
    if sigma == 0:
        return [point]
    row, col = point
    false_negative, false_positive = errors(target, prediction, ignore)
    labels, _ = connected_components(false_negative if target[row, col] else false_positive, 4)
    component = labels == labels[row, col]
    circle = inscribed_circle(component)
    assert circle is not None  # the component is not empty
    pixels = np.argwhere(component)
    distances = np.hypot(*(pixels - point).T)
    with np.errstate(over="ignore"):  # for a deviation near 0 the quotient may be infinite, and its weight 0
        return _weighted(pixels, np.exp(-((distances / (sigma * circle.radius)) ** 2) / 2), rng)


@single_sample
def boundary(
    target: Mask,
    prediction: Mask,
    ignore: Mask | None,
    clicks: Sequence[Click],
    rng: Rng,
    *,
    depth: float = 0.3,
) -> list[tuple[int, int]]:
    """A careless person, who clicks near the border of the largest error.

    A pixel of the largest 4-connected component (as in `random_largest`), drawn uniformly from those at most `depth`
    times the radius of its inscribed circle from its outside; the outermost pixels always count.
    """
    component = _largest_error(*errors(target, prediction, ignore), largest_component)
    circle = inscribed_circle(component)
    if circle is None:
        return []
    return _uniform(inner_border_band(component, max(1, depth * circle.radius)), rng)


def ritm_point(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click]) -> tuple[int, int] | None:
    """The point of `ritm`; None if nothing is left to click."""
    target_bytes, prediction_bytes = target.view(np.uint8), prediction.view(np.uint8)
    ignore_bytes = None if ignore is None else ignore.view(np.uint8)
    row, col, _ = farthest_error(target_bytes, prediction_bytes, ignore_bytes, _pixels(clicks))
    return (row, col) if row >= 0 else None


_ROBOTS = {
    "random": random,
    "random-false": random_false,
    "random-largest": random_largest,
    "distance": distance,
    "distance-sequential": distance_sequential,
    "center-largest": center_largest,
    "gto99": gto99,
    "ritm": ritm,
}


def load(card: RobotCard) -> Robot:
    """The robot of a card, for robots without an argument."""
    return _ROBOTS[card.id]


def load_noisy_ritm(card: RobotCard, argument: str = "") -> Robot:
    """`noisy_ritm`; `argument` may be `sigma=FRACTION`. Raises `BadOption`."""
    sigma = _fraction(argument, "sigma", 0.5, f"{card.id} or {card.id}:sigma=FRACTION, such as {card.id}:sigma=0.5")
    return partial(noisy_ritm, sigma=sigma)


def load_boundary(card: RobotCard, argument: str = "") -> Robot:
    """`boundary`; `argument` may be `depth=FRACTION`. Raises `BadOption`."""
    depth = _fraction(argument, "depth", 0.3, f"{card.id} or {card.id}:depth=FRACTION, such as {card.id}:depth=0.3")
    return partial(boundary, depth=depth)


def _fraction(argument: str, name: str, default: float, usage: str) -> float:
    given = numbers(argument, usage)
    if given.keys() - {name}:
        raise BadOption(f"robot argument {', '.join(given.keys() - {name})!r} is unknown; write {usage}")
    value = given.get(name, default)
    if value < 0:
        raise BadOption(f"robot argument {name} must be 0 or more, not {value:g}; write {usage}")
    return value


def _center_of_largest(
    false_negative: Mask, false_positive: Mask, clicks: Sequence[Click], largest: Callable[[Mask], Mask]
) -> list[tuple[int, int]]:
    """The deepest unclicked pixel of the largest component of both errors; of the next one if all pixels are clicked.

    Components that are skipped are removed from the errors.
    """
    clicked = _pixels(clicks)
    while (component := _largest_error(false_negative, false_positive, largest)).any():
        nothing = np.zeros(component.shape, np.uint8)
        row, col, _ = farthest_error(component.view(np.uint8), nothing, None, clicked)
        if row >= 0:
            return [(row, col)]
        false_negative &= ~component
        false_positive &= ~component
    return []


def _largest_error(false_negative: Mask, false_positive: Mask, largest: Callable[[Mask], Mask]) -> Mask:
    """The larger of the two errors' `largest` components; if equal, the false positive. Empty if there is none."""
    missed, excess = largest(false_negative), largest(false_positive)
    return missed if missed.sum() > excess.sum() else excess


def _largest_by_blocks(mask: Mask) -> Mask:
    """The largest 8-connected component; of equally large ones, that with the first 2x2 block in row-major order.

    Blocks begin at even rows and columns; all object pixels of a block belong to one component. This is the label order
    of OpenCV's `connectedComponents`, which scans an image by such blocks (Grana, Borghesani and Cucchiara, "Optimized
    block-based connected components labeling with decision trees", 2010).
    """
    labels, n = connected_components(mask, 8)
    if n == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    rows, cols = np.nonzero((sizes == sizes.max())[labels])
    first = (rows // 2 * mask.shape[1] + cols // 2).argmin()
    largest: Mask = labels == labels[rows[first], cols[first]]
    return largest


def _uniform(mask: Mask, rng: Rng) -> list[tuple[int, int]]:
    candidates = np.flatnonzero(mask)
    if not candidates.size:
        return []
    row, col = divmod(int(candidates[rng.integers(candidates.size)]), mask.shape[1])
    return [(row, col)]


def _by_distance(mask: Mask, rng: Rng) -> list[tuple[int, int]]:
    squares = squared_distances(mask)
    return _weighted(np.argwhere(mask), np.sqrt(squares[mask]), rng)


def _weighted(pixels: NDArray[np.int64], weights: NDArray[np.float64], rng: Rng) -> list[tuple[int, int]]:
    """One of `pixels` (n, 2), drawn with a probability proportional to its weight; none if there are none."""
    if not len(pixels):
        return []
    until = weights.cumsum()
    # random() is below 1, so the product is below the last sum, but it may be rounded up to it
    chosen = min(int(np.searchsorted(until, rng.random() * until[-1], "right")), len(pixels) - 1)
    row, col = pixels[chosen].tolist()
    return [(row, col)]


def _remove(mask: Mask, clicks: Sequence[Click]) -> None:
    """Set the clicked pixels to False; clicks outside the image change nothing."""
    pixels = _pixels(clicks)
    inside = ((pixels >= 0) & (pixels < mask.shape)).all(axis=1)
    mask[pixels[inside, 0], pixels[inside, 1]] = False


def _pixels(clicks: Sequence[Click]) -> NDArray[np.int64]:
    """The clicked pixels, (n, 2) rows (row, column)."""
    if not clicks:
        return np.empty((0, 2), np.int64)
    points = np.array(clicks)
    return points if points.dtype == np.int64 else np.rint(points).astype(np.int64)
