"""A mask and clicks drawn on an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from iiszoo.data.base import Image, Mask

OBJECT, POSITIVE, NEGATIVE = (255, 140, 0), (40, 180, 60), (220, 40, 40)
"""RGB: the tint of the mask, and the clicks' colours."""
_STRENGTH = 0.45


def drawn(
    image: Image, mask: Mask, positive: Sequence[tuple[int, int]], negative: Sequence[tuple[int, int]]
) -> NDArray[np.uint8]:
    """The image uint8 (H, W, 3), RGB, with the object tinted and outlined, and a disk per click (row, col)."""
    tinted = image.astype(np.float32)
    tinted[mask] += _STRENGTH * (np.array(OBJECT, np.float32) - tinted[mask])
    picture: NDArray[np.uint8] = np.ascontiguousarray(tinted.round().astype(np.uint8))
    unit = max(1, round(max(mask.shape) / 400))
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, OBJECT, unit)
    for clicks, colour in ((positive, POSITIVE), (negative, NEGATIVE)):
        for row, col in clicks:
            cv2.circle(picture, (col, row), 5 * unit, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, (col, row), 4 * unit, colour, -1, cv2.LINE_AA)
    return picture
