"""Masks of every kind that has ever broken a distance transform or a tie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from plain_rules import plain_ritm
from scipy.ndimage import gaussian_filter

Mask = NDArray[np.bool_]


def blobs(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    field = gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 6))
    return field > field.std() * rng.uniform(-1, 1)


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return rng.random(shape) < rng.random()


def rectangles(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """Equal ones, so that maxima tie, within each, between them, and between errors of both kinds."""
    mask = np.zeros(shape, bool)
    h, w = rng.integers(1, 9, 2)
    for _ in range(rng.integers(1, 6)):
        r, c = rng.integers(-3, shape[0]), rng.integers(-3, shape[1])
        mask[max(r, 0) : max(r + h, 0), max(c, 0) : max(c + w, 0)] = True
    return mask


def disks(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    rows, cols = np.indices(shape)
    square = rng.integers(1, 200)
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 4)):
        mask |= (rows - rng.integers(0, shape[0])) ** 2 + (cols - rng.integers(0, shape[1])) ** 2 < square
    return mask


def constant(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return np.full(shape, rng.random() < 0.5)


def stripes(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    return (np.indices(shape)[rng.integers(2)] // rng.integers(1, 8)) % 2 == 0


def symmetric(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    mask = blobs(rng, shape)
    if rng.random() < 0.7:
        mask = mask | mask[::-1]
    if rng.random() < 0.7:
        mask = mask | mask[:, ::-1]
    return mask


KINDS = (blobs, noise, rectangles, disks, constant, stripes, symmetric)


def random_case(rng: np.random.Generator, largest: int) -> tuple[Mask, Mask, Mask | None, list[tuple[int, int]]]:
    """(target, prediction, ignore, clicks)."""
    shape = (int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)))

    def mask() -> Mask:
        return KINDS[rng.integers(len(KINDS))](rng, shape)

    target, prediction = mask(), mask()
    change = rng.integers(4)
    if change == 0:  # mirrored: false negatives and false positives are congruent
        prediction = target[::-1] if rng.random() < 0.5 else target[:, ::-1]
    elif change == 1:  # nearly right
        prediction = np.roll(target, tuple(rng.integers(-3, 4, 2)), (0, 1))
    ignore = None
    if rng.random() < 0.4:
        ignore = mask() & (rng.random(shape) < 0.9)
    clicks = []
    for _ in range(rng.integers(0, 8)):
        if rng.random() < 0.3:
            clicks.append((int(rng.integers(shape[0])), int(rng.integers(shape[1]))))
        elif (found := plain_ritm(target, prediction, ignore, clicks)) is not None:
            clicks.append(found[:2])
    return target, prediction, ignore, clicks
