"""One image, one model, some clicks: a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from iiszoo import protocol
from iiszoo.builtin.models import DEFAULT
from iiszoo.data.image_input import to_rgb
from iiszoo.engine.session import Session
from iiszoo.errors import BadOption
from iiszoo.loading import load_model
from iiszoo.model_reference import resolve
from iiszoo.protocol import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image as pillow

    from iiszoo.model_reference import ModelSpec
    from iiszoo.protocol import Click


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The answer to some clicks; `segment(..., previous=it)` goes on from here.

    `mask` bool (H, W), True on the object; `probabilities` float32 (H, W) in [0, 1]; `model` the model's name.
    `session` holds the clicks and the model's state; it is not to be changed.
    """

    mask: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    model: str
    session: Session = field(repr=False)


def segment(
    image: NDArray[np.uint8] | pillow.Image | str | Path,
    positive: Sequence[Click] = (),
    negative: Sequence[Click] = (),
    *,
    model: Model | ModelSpec | None = None,
    previous: Segmentation | NDArray[Any] | pillow.Image | str | Path | None = None,
    device: str = "cpu",
) -> Segmentation:
    """Segment the object that the clicks show, in one call of the model.

        first = iiszoo.segment(image, positive=[(120, 80)])
        better = iiszoo.segment(image, negative=[(40, 60)], previous=first)

    Args:
        image: uint8 (H, W, 3), RGB, or grey (H, W), a Pillow image, or a path.
        positive: clicks (row, col) on the object, in pixels of the image.
        negative: clicks (row, col) on what is wrongly taken for it.
        model: an id (`"sam"`), or anything that `iiszoo.load_model` accepts; None: that of `previous`, else
            `smp/unet-lite0`. An id is loaded at each call: load the model once to use it for many images.
        previous: what to go on from: an earlier `Segmentation` of this image, whose clicks and encoding of the image
            are kept (only its mask, if `model` is another); or a mask to correct, bool (H, W), or probabilities, or a
            file.
        device: where an id is loaded: cpu, cuda, cuda:1, mps.

    Raises `BadOption` for an image, a click or a mask that cannot be used, naming it, `ModelError` if the model
    violates the standard format, and whatever `load_model` raises.
    """
    if isinstance(previous, Segmentation) and (model is None or _is(previous.session.model, model)):
        _check_image(previous.session, image)
        session = previous.session.branch()
    else:
        mask = previous.probabilities if isinstance(previous, Segmentation) else previous
        loaded = model if isinstance(model, Model) else load_model(DEFAULT if model is None else model, device=device)
        session = Session(loaded, image, initial_mask=mask)
    if not len(positive) and not len(negative):
        raise BadOption("segment needs a click: positive=[(row, col)] on the object, or negative=[(row, col)] off it")
    session.interact(positive, negative)
    return Segmentation(session.mask, session.probabilities, session.model.name, session)


def _is(own: Model, wanted: Model | ModelSpec) -> bool:
    if isinstance(wanted, Model):
        return (wanted.name, wanted.checkpoint) == (own.name, own.checkpoint)
    return resolve(wanted).name == own.name


def _check_image(session: Session, image: Any) -> None:
    """Raise `BadOption` unless the session is on this image."""
    pixels = protocol.to_tensor(to_rgb(image), session.model.device)
    if not torch.equal(pixels, session.x[0]):
        raise BadOption("previous is the segmentation of another image; leave it out for a new one")
