"""Checks of what clicks and colours mean. All except the order of rows and columns need meaningful weights.

On the image's diagonal, mixing up rows and columns makes no difference: the checks of tier 2 put their objects there,
so that each finds only its own fault.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from iiszoo.data.base import Target
from iiszoo.engine.session import Session, run_session
from iiszoo.loading import load_dataset
from iiszoo.testing import scenes
from iiszoo.testing._checks.assertions import SAME
from iiszoo.testing.check import Broken, NotApplicable, check
from iiszoo.testing.scenes import Scene
from iiszoo.testing.subject import Play, Subject

if TYPE_CHECKING:
    from iiszoo.data.base import Image, Sample

OFF_DIAGONAL = {
    (16, 48): scenes.RED,
    (48, 16): scenes.YELLOW,
    (16, 80): scenes.BROWN,
    (80, 16): (0.95, 0.55, 0.45),
    (48, 80): (0.95, 0.5, 0.05),
    (80, 48): (0.4, 0.05, 0.02),
}
"""Clicks, each on a disk of that colour; each click's mirror image at the diagonal is a click, too."""
REACH = 4
"""Half the side of the square examined around a click, in pixels."""
N_CLICKS = 3
RGB_MARGIN = 0.03
"""How much better the wrong colour order may score in mean IoU: chance on ten objects."""


@check(
    "a click is (row, col)",
    catches="(x, y) for (row, col), which squares and clicks on the diagonal never show",
    look="where clicks become coordinates or maps: OpenCV, PIL and SAM take x first",
    after=("repeatable",),
)
def row_column_order(subject: Subject) -> None:
    x = scenes.picture(96, 96, *((*click, 9, colour) for click, colour in OFF_DIAGONAL.items()), seed=3)[None]
    z, clicks = subject.start(x), list(OFF_DIAGONAL)
    answers = torch.stack([torch.as_tensor(subject.call(x, z, [[[click]]], [[[]]])[0][0]) for click in clicks])
    effects = (answers - answers.mean(0)).abs()
    seen = torch.stack([torch.stack([_around(effect, position).mean() for position in clicks]) for effect in effects])
    if seen.max() <= SAME:
        return  # no click affects the output
    seen = seen / seen.mean(0).clamp(min=SAME)  # how much a position responds to any click does not count
    own = float(seen.diagonal().mean())
    other = float(torch.stack([seen[k, clicks.index(click[::-1])] for k, click in enumerate(clicks)]).mean())
    if other > 2 * own:
        raise Broken(
            f"clicks change the answer {other / max(own, SAME):.2g} times as much at (col, row) as where they were made"
        )


@check(
    "a positive click adds: the clicked disk becomes object",
    catches="positive clicks that never reach the network; pcs and ncs mixed up; an inverted output",
    look="where pcs becomes the network's input, and which of its outputs is the object",
    tier=2,
)
def positive_click_adds(subject: Subject) -> None:
    found = _around(_two_disks(subject).outputs[0][0], (34, 34)).mean()
    if not found > subject.model.threshold:
        raise Broken(f"around the click the probability is {found:.3f} (object is above {subject.model.threshold:g})")


@check(
    "a negative click removes: the probability around it falls",
    catches="negative clicks that never reach the network, or that count as positive ones",
    look="where ncs becomes the network's input",
    tier=2,
    after=("positive_click_adds",),
)
def negative_click_removes(subject: Subject) -> None:
    _, before, after = (float(_around(y[0], (90, 90)).mean()) for y in _two_disks(subject).outputs)
    if before <= subject.model.threshold:
        raise NotApplicable(f"there is nothing to remove: the disk before the click has the probability {before:.3f}")
    if not after < before:
        raise Broken(f"it went from {before:.3f} to {after:.3f} within {REACH} pixels of the click")


@check(
    "x is RGB: on photographs swapping red and blue does not improve the outputs",
    catches="an image passed to the network as BGR, which costs some points of IoU but raises no error",
    look="channel order before the network: OpenCV reads BGR, some networks were trained on it",
    tier=2,
    after=("repeatable", "image_sizes", "state_splits"),
)
def rgb_order(subject: Subject) -> None:
    given, swapped = (_mean_iou(subject, order) for order in ([0, 1, 2], [2, 1, 0]))
    if swapped > given + RGB_MARGIN:
        raise Broken(
            f"over {N_CLICKS} clicks the mean IoU is {swapped:.3f} with them swapped and {given:.3f} as promised"
        )


def _mean_iou(subject: Subject, order: list[int]) -> float:
    """The mean IoU over all clicks on the photographs, with their channels in that order, by the papers' robot."""
    ious = []
    for image, samples in _photographs():
        session = Session(subject.model, image[:, :, order])
        for sample in samples:
            steps = run_session(session, "ritm", sample, max_clicks=N_CLICKS, target_iou=math.inf)
            ious += [step.iou for step in steps]
    return sum(ious) / len(ious)


@cache
def _photographs() -> list[tuple[Image, list[Sample]]]:
    """The colour photographs of `demo` at half their size, each with its samples."""
    found: dict[str, tuple[Image, list[Sample]]] = {}
    for sample in load_dataset("demo"):
        image = sample.read_image()[::2, ::2]
        if not np.array_equal(image[:, :, 0], image[:, :, 2]):
            half = Target(sample.read_target().object[::2, ::2], None)
            _, samples = found.setdefault(sample.image_id, (image, []))
            samples.append(replace(sample, read_target=partial(_same, half)))
    return list(found.values())


def _same(target: Target) -> Target:
    return target


def _two_disks(subject: Subject) -> Play:
    """Two positive clicks, each on a disk of its own, and a negative one beside the second."""
    x = scenes.picture(128, 128, (34, 34, 18, scenes.RED), (86, 86, 18, scenes.YELLOW), seed=4)[None]
    pcs: Any = [[[(34, 34)]], [[(86, 86)]], [[]]]
    return subject.once("two disks", lambda: Scene(x, pcs, [[[]], [[]], [[(90, 90)]]]))


def _around(y: Tensor, click: tuple[int, int]) -> Tensor:
    """The square of y (1, H, W) around a click."""
    row, col = click
    return y[0, row - REACH : row + REACH + 1, col - REACH : col + REACH + 1]
