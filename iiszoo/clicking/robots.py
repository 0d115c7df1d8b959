"""Robots: the person who looks at a prediction and clicks where it is wrong, one rule each.

    >>> import torch
    >>> outputs, targets = torch.zeros(1, 1, 5, 7), torch.ones(1, 1, 5, 7)  # all of an object of 5 x 7 pixels is missed
    >>> ritm(outputs, targets, [], [])
    ([[[(2, 2)]]], [[[]]])

The errors of a sample are its false negatives, object that was not predicted, and its false positives, background that
was; ignored pixels are neither. Together they are E. Where E is empty there is nothing to click, and the sample gets no
click, whatever the robot. `single_sample` tells how a robot is called, and how to write one.
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
    """A pixel drawn uniformly from the image, ignored ones left out, whatever the prediction; none where E is empty."""
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

    False negatives and false positives that touch are separate components. Of equally large ones a false positive
    counts as the larger, then the first in row-major order.
    """
    return _uniform(_largest_error(*errors(target, prediction, ignore), largest_component), rng)


@single_sample
def distance(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """A pixel of E drawn with a probability proportional to its Euclidean distance to the nearest pixel outside E.

    Beyond the image is outside: the image border is a border. Several points are drawn independently of each other.
    """
    false_negative, false_positive = errors(target, prediction, ignore)
    return _by_distance(false_negative | false_positive, rng)


@single_sample
def distance_sequential(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: Rng
) -> list[tuple[int, int]]:
    """As `distance`, but every earlier click, of this interaction too, counts as outside E: clicks keep apart."""
    false_negative, false_positive = errors(target, prediction, ignore)
    left = false_negative | false_positive
    _remove(left, clicks)
    return _by_distance(left, rng)


@partial(single_sample, draws=False)
def center_largest(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
    """The pixel deepest inside the largest 8-connected component of the errors.

    False negatives and false positives are apart; of equally large components a false positive counts as the larger,
    then the first in row-major order. The pixel is the one at the greatest distance from the component's outside (the
    image border is a border), earlier clicks excluded, the first in row-major order. A component of which every pixel
    was clicked is passed over.

    Source: Getting to 99% Accuracy (arXiv 2003.07932), but for what `gto99` tells.
    """
    return _center_of_largest(*errors(target, prediction, ignore), clicks, partial(largest_component, connectivity=8))


@partial(single_sample, draws=False)
def gto99(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
    """`center_largest` exactly as GTO99's repository clicks; it differs from that robot in two points.

    Earlier clicks are not avoided: where the prediction stays as it is the same pixel is clicked again, and with
    `n_points` > 1 all points are one. And among equally large components of one kind of error the first is not that
    with the first pixel, but that with the first 2x2 block (`_largest_by_blocks`), both in row-major order.

    Upstream predicts object where alpha >= 0.5, a robot sees `outputs > threshold`: of float32 outputs that is the same
    with the threshold 0.49999997, the next number below 0.5, and with 0.5 where no output is exactly 0.5. No output of
    gto99/resnet50 is, once there is a positive click.

    Source: Getting to 99% Accuracy (arXiv 2003.07932), `robot_click` in `interaction.py` of
    MarcoForte/DeepInteractiveSegmentation at ddd7426, but for two things. With nothing wrong, upstream clicks negative
    at the last pixel. And its distances are floats of OpenCV; here they are exact integers.
    """
    return _center_of_largest(*errors(target, prediction, ignore), [], _largest_by_blocks)


@partial(single_sample, draws=False)
def ritm(
    target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click], rng: None
) -> list[tuple[int, int]]:
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
    row, col = _deepest_error(target, prediction, ignore, clicks)
    return [(row, col)] if row >= 0 else []


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

    The component is the 4-connected one, of false negatives or of false positives, that holds the point of `ritm`. Its
    pixels are drawn with probabilities proportional to a Gaussian round that point, whose standard deviation is `sigma`
    (0 or more) times the radius of the component's inscribed circle; 0 is `ritm` itself.
    """
    row, col = _deepest_error(target, prediction, ignore, clicks)
    if row < 0:
        return []
    if sigma == 0:
        return [(row, col)]
    false_negative, false_positive = errors(target, prediction, ignore)
    labels, _ = connected_components(false_negative if target[row, col] else false_positive, 4)
    component = labels == labels[row, col]
    circle = inscribed_circle(component)
    assert circle is not None  # it holds a pixel
    pixels = np.argwhere(component)
    distances = np.hypot(*(pixels - (row, col)).T)
    with np.errstate(over="ignore"):  # of a deviation near 0 the quotient may be infinite, and its weight 0
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

    A pixel drawn uniformly from those of the largest 4-connected component (as in `random_largest`) that are at most
    `depth` times the radius of its inscribed circle away from its outside; the outermost pixels always count.
    """
    component = _largest_error(*errors(target, prediction, ignore), largest_component)
    circle = inscribed_circle(component)
    if circle is None:
        return []
    return _uniform(inner_border_band(component, max(1, depth * circle.radius)), rng)


def _deepest_error(target: Mask, prediction: Mask, ignore: Mask | None, clicks: Sequence[Click]) -> tuple[int, int]:
    """The point of `ritm`; (-1, -1) where nothing is left to click."""
    target_bytes, prediction_bytes = target.view(np.uint8), prediction.view(np.uint8)
    ignore_bytes = None if ignore is None else ignore.view(np.uint8)
    row, col, _ = farthest_error(target_bytes, prediction_bytes, ignore_bytes, _pixels(clicks))
    return row, col


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
    """The robot of a card, for those that have nothing to choose."""
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
        raise BadOption(f"robot argument {', '.join(given.keys() - {name})!r} is not known; write {usage}")
    value = given.get(name, default)
    if value < 0:
        raise BadOption(f"robot argument {name} must be 0 or more, not {value:g}; write {usage}")
    return value


def _center_of_largest(
    false_negative: Mask, false_positive: Mask, clicks: Sequence[Click], largest: Callable[[Mask], Mask]
) -> list[tuple[int, int]]:
    """The deepest pixel of the larger of both errors' `largest` components, or of the next one, where all are clicked.

    Takes the components that it passes over out of the errors.
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
    """The larger of the `largest` components of both; of equal ones the false positive. Empty where there is none."""
    missed, excess = largest(false_negative), largest(false_positive)
    return missed if missed.sum() > excess.sum() else excess


def _largest_by_blocks(mask: Mask) -> Mask:
    """The 8-connected component with most pixels, of equal ones that with the first 2x2 block in row-major order.

    Blocks begin at even rows and columns, so that all object pixels of a block are one component. This is the order of
    the labels of OpenCV's `connectedComponents`, which scans an image by such blocks (Grana, Borghesani and Cucchiara,
    "Optimized block-based connected components labeling with decision trees", 2010).
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
    """One of `pixels` (n, 2) with a probability proportional to its weight; none where there are none."""
    if not len(pixels):
        return []
    until = weights.cumsum()
    # random() is less than 1, so less than the last sum, but the product may be rounded up to it
    chosen = min(int(np.searchsorted(until, rng.random() * until[-1], "right")), len(pixels) - 1)
    row, col = pixels[chosen].tolist()
    return [(row, col)]


def _remove(mask: Mask, clicks: Sequence[Click]) -> None:
    """Set the clicked pixels to False; clicks beyond the image have none."""
    pixels = _pixels(clicks)
    inside = ((pixels >= 0) & (pixels < mask.shape)).all(axis=1)
    mask[pixels[inside, 0], pixels[inside, 1]] = False


def _pixels(clicks: Sequence[Click]) -> NDArray[np.int64]:
    """(n, 2) rows (row, column): the pixels that hold the clicks."""
    if not clicks:
        return np.empty((0, 2), np.int64)
    points = np.array(clicks)
    return points if points.dtype == np.int64 else np.rint(points).astype(np.int64)
