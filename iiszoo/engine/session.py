"""The loop: a session of clicks on one image, and a robot that makes them.

`Session` is one image and one model, without a robot; `run_session` is the loop of robot and model on top of it. It
defines an evaluation: `pipeline.py`, which runs many sessions at a time, gives the same clicks and IoUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from iiszoo import protocol
from iiszoo.clicking.click_input import checked_clicks
from iiszoo.clicking.loading import load_robot
from iiszoo.data.image_input import to_mask, to_rgb
from iiszoo.engine import metrics
from iiszoo.engine.asking import ask, encode
from iiszoo.engine.robot_turn import robot_turn
from iiszoo.errors import BadOption
from iiszoo.loading import load_model
from iiszoo.object_path import function_name
from iiszoo.protocol import Click, Clicks, Model, Robot, State
from iiszoo.seeding import generator_for

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image as pillow

    from iiszoo.data.base import Image, Mask, Sample
    from iiszoo.model_reference import ModelSpec


@dataclass(frozen=True)
class _Moment:
    """A session after an interaction. It is never changed, so undoing is going back to the one before."""

    pcs: Clicks
    ncs: Clicks
    output: Tensor
    state: State


class Session:
    """One image being segmented with one model.

        session = iiszoo.Session("sam", image)
        session.click(120, 80)
        session.click(40, 60, positive=False)
        session.mask                            # bool (H, W)

    Args:
        model: a loaded model, or anything that `iiszoo.load_model` accepts.
        image: uint8 (H, W, 3), RGB, or what else `iiszoo.data.image_input.to_rgb` takes: grey, a Pillow image, a path;
            or a tensor as in the standard format, float32 (3, H, W) in [0, 1].
        initial_mask: the mask to correct, bool (H, W), or float32 probabilities (H, W) in [0, 1], or what else
            `iiszoo.data.image_input.to_mask` takes; None: no mask.
        threshold: the probability above which a pixel is object; None: the model's own.

    Raises `BadOption` for an image or a mask that cannot be used, `ModelError` if the model violates the standard
    format, and whatever `load_model` raises.
    """

    def __init__(
        self,
        model: Model | ModelSpec,
        image: Image | Tensor | pillow.Image | str | Path,
        *,
        initial_mask: Mask | NDArray[np.float32] | pillow.Image | str | Path | None = None,
        threshold: float | None = None,
    ) -> None:
        pixels = _checked(image) if isinstance(image, Tensor) else to_rgb(image)
        loaded = model if isinstance(model, Model) else load_model(model)
        self.threshold = loaded.threshold if threshold is None else threshold
        self.model = loaded.at_threshold(self.threshold)
        whole = pixels.to(loaded.device) if isinstance(pixels, Tensor) else protocol.to_tensor(pixels, loaded.device)
        self.x = whole[None]
        self._encoded = encode(self.model, self.x)
        self._start(initial_mask)

    def restart(self, initial_mask: Mask | NDArray[np.float32] | pillow.Image | str | Path | None = None) -> Session:
        """A session for another object in the same image, which is not encoded again."""
        other = self.branch()
        other._start(initial_mask)
        return other

    def click(self, row: int, col: int, positive: bool = True) -> Mask:
        """An interaction of one click, in pixels of the image. Returns the new `mask`."""
        return self.interact([(row, col)], []) if positive else self.interact([], [(row, col)])

    def interact(self, positives: Sequence[Click], negatives: Sequence[Click]) -> Mask:
        """An interaction of any number of clicks (row, col). Returns the new `mask`.

        Raises `BadOption` for a click outside the image, `ModelError` if the answer violates the standard format.
        """
        now = self._now
        pcs: Clicks = [*now.pcs, [checked_clicks(positives, self.size, "positive clicks")]]
        ncs: Clicks = [*now.ncs, [checked_clicks(negatives, self.size, "negative clicks")]]
        self._history.append(_Moment(pcs, ncs, *ask(self.model, self.x, now.state, pcs, ncs)))
        return self.mask

    def undo(self) -> Mask:
        """Undo the last interaction. Returns the `mask` before it. Raises `BadOption` if there is none."""
        if len(self._history) == 1:
            raise BadOption("there is no click to undo")
        self._history.pop()
        return self.mask

    def branch(self) -> Session:
        """A session that goes on from here by itself: neither sees the other's clicks."""
        other = object.__new__(Session)
        other.__dict__.update(self.__dict__)
        other._history = [*self._history]
        return other

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the image."""
        height, width = self.x.shape[-2:]
        return height, width

    @property
    def mask(self) -> Mask:
        """The current mask, True on the object: bool (H, W)."""
        mask: Mask = (self.output[0, 0] > self.threshold).numpy()
        return mask

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The probability of object: float32 (H, W) in [0, 1]."""
        probabilities: NDArray[np.float32] = self.output[0, 0].numpy()
        return probabilities

    @property
    def output(self) -> Tensor:
        """The last y: float32 (1, 1, H, W), on the CPU; before the first click the initial mask, or zeros."""
        return self._now.output

    @property
    def state(self) -> State:
        """The model's z, for one batch element."""
        return self._now.state

    @property
    def pcs(self) -> Clicks:
        """The positive clicks so far, `[interaction][0][click]`."""
        return self._now.pcs

    @property
    def ncs(self) -> Clicks:
        """The negative clicks so far, `[interaction][0][click]`."""
        return self._now.ncs

    @property
    def _now(self) -> _Moment:
        return self._history[-1]

    def _start(self, initial_mask: Mask | NDArray[np.float32] | pillow.Image | str | Path | None) -> None:
        z = dict(self._encoded)
        if initial_mask is not None:
            z["prev_output"] = protocol.to_output(to_mask(initial_mask, self.size), self.model.device)
        protocol.check_output(z["prev_output"], self.x, f"{self.model.name} (z['prev_output'] before the first click)")
        self._history = [_Moment([], [], protocol.on_cpu(z["prev_output"][0])[None], z)]


def _checked(image: Tensor) -> Tensor:
    """The tensor, if it is an image of the standard format. Raises `BadOption`."""
    if image.dtype != torch.float32 or image.dim() != 3 or image.shape[0] != 3 or not image.numel():
        raise BadOption(f"a tensor must be an image float32 (3, H, W), not {image.dtype} {tuple(image.shape)}")
    if not (image.min() >= 0 and image.max() <= 1):  # NaN is neither
        raise BadOption(f"a tensor's image must lie in [0, 1], not from {image.min():g} to {image.max():g}")
    return image


@dataclass(frozen=True)
class Interaction:
    """One step of a session: the clicks (row, col) made in it, the output after it, float32 (1, 1, H, W) on the CPU,
    the output's IoU with the target, and the model's state.
    """

    positives: list[Click]
    negatives: list[Click]
    output: Tensor
    iou: float
    state: State


def run_session(
    model: Session | Model | ModelSpec,
    robot: str | Robot,
    sample: Sample,
    *,
    max_clicks: int = 20,
    target_iou: float = 0.9,
    threshold: float | None = None,
    seed: int = 0,
) -> Iterator[Interaction]:
    """The session of a robot and a model on one sample, as an iterator over its interactions.

    `model` may be a `Session` on the sample's image, whose encoding and threshold are then reused. The session ends
    when the IoU reaches `target_iou`, after `max_clicks` interactions, or when the robot finds nothing to click.
    `threshold` (None: the model's own) turns outputs into masks, for the robot and for the score. The robot's random
    choices depend only on the sample's id, the robot's name and `seed`.
    """
    name, play = (robot, load_robot(robot)) if isinstance(robot, str) else (function_name(robot), robot)
    target, ignore = sample.read_target()
    if isinstance(model, Session):
        session = model.restart(sample.read_initial_mask())
    else:
        session = Session(model, sample.read_image(), initial_mask=sample.read_initial_mask(), threshold=threshold)
    targets, ignored = protocol.to_targets(target), None if ignore is None else protocol.to_targets(ignore)
    generator = generator_for(sample.id, name, seed)
    prepared = metrics.prepare(target, ignore)
    iou = metrics.score(session.probabilities, prepared, session.threshold).iou
    while iou < target_iou and len(session.pcs) < max_clicks:
        pcs, ncs = robot_turn(
            play,
            name,
            session.output,
            targets,
            session.pcs,
            session.ncs,
            ignore=ignored,
            generator=generator,
            threshold=session.threshold,
            sample=sample.id,
        )
        positives, negatives = pcs[-1][0], ncs[-1][0]
        if not positives and not negatives:
            return
        session.interact(positives, negatives)
        iou = metrics.score(session.probabilities, prepared, session.threshold).iou
        yield Interaction(positives, negatives, session.output, iou, session.state)
