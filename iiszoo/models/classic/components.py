"""The parts of a mask that were clicked on, and how deep a point lies in a mask."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.clicking.regions import clicked_components


def keep_clicked(mask: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """The 8-connected parts of a bool mask (H, W) that hold one of the points (N, 2); with no point the whole mask."""
    return clicked_components(mask, points, 8) if len(points) else mask


def depth(mask: NDArray[Any]) -> NDArray[Any]:
    """Distance to the nearest pixel outside a bool mask (H, W), float32, in pixels; the image ends the mask."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1])
