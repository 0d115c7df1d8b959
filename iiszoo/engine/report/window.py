"""The part of an image that a picture shows: the whole, or what lies around the object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from iiszoo.models.zoom import Box, bounding_box, whole_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_MARGIN = 8
"""Pixels around an object, however small it is."""
_HARDLY_LESS = 0.75
"""A window with more of the image's height and width than this is not worth a picture of its own."""


def zoomed(target: NDArray[np.bool_], masks: Sequence[NDArray[np.bool_]]) -> Box | None:
    """The part of the image around the target with a margin, and around the masks, but not more than twice as far: a
    mask that has run over the whole image must not hide the object again. None if it is hardly smaller than the image.
    """
    image = whole_image(target.shape)
    near = bounding_box(target)
    far = bounding_box(np.logical_or.reduce([target, *masks]))
    if near is None or far is None:
        return None
    side = max(near.height, near.width)
    margin = max(_LEAST_MARGIN, 0.2 * side)
    window = _grown(far, margin).clip(_grown(near, margin + 0.5 * side)).clip(image)
    hardly_less = window.height > _HARDLY_LESS * image.height and window.width > _HARDLY_LESS * image.width
    return None if hardly_less else window


def _grown(box: Box, margin: float) -> Box:
    return Box(
        math.floor(box.top - margin),
        math.ceil(box.bottom + margin),
        math.floor(box.left - margin),
        math.ceil(box.right + margin),
    )
