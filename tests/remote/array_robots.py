"""Robots of numpy alone, for an interpreter without torch and iiszoo. Named by tests as `array_robots:NAME`."""

import os
import time

import numpy as np


def first_error(outputs, targets, pcs, ncs, n_points=1, *, ignore, generators, threshold, samples):
    """The first wrong pixel in row-major order."""
    new_pcs, new_ncs = [], []
    for output, target in zip(outputs, targets):  # noqa: B905  Python 3.7 has no strict
        wrong = np.argwhere((output[0] > threshold) != (target[0] > 0))
        (new_pcs if not len(wrong) or target[0][tuple(wrong[0])] else new_ncs).append([tuple(at) for at in wrong[:1]])
        (new_ncs if len(new_pcs) > len(new_ncs) else new_pcs).append([])
    return [*pcs, new_pcs], [*ncs, new_ncs]


def drawn(outputs, targets, pcs, ncs, n_points=1, *, ignore, generators, threshold, samples):
    """Any pixel of the object, by the sample's generator."""
    made = []
    for target, generator in zip(targets, generators):  # noqa: B905
        pixels = np.argwhere(target[0] > 0)
        made.append([tuple(pixels[generator.integers(len(pixels))])])
    return [*pcs, made], [*ncs, [[] for _ in made]]


def knows_its_sample(outputs, targets, pcs, ncs, n_points=1, *, ignore, generators, threshold, samples):
    (sample,) = samples
    return [*pcs, [[(int(sample[1:]), len(pcs))]]], [*ncs, [[]]]


def raises(*arguments, **named):
    raise ValueError("no click today")


def silent(*arguments, **named):
    time.sleep(60)


def exits(*arguments, **named):
    os._exit(7)


def forgets(outputs, targets, pcs, ncs, n_points=1, **named):
    return pcs, ncs


def none(*arguments, **named):
    return None
