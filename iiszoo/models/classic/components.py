"""The clicked components of a mask, and the depth of its pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from iiszoo.clicking.regions import clicked_components


def keep_clicked(mask: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """The 8-connected components of a bool mask (H, W) that contain one of the points (N, 2); all if there are none."""
    return clicked_components(mask, points, 8) if len(points) else mask


def depth(mask: NDArray[Any]) -> NDArray[Any]:
    """Distance to the nearest pixel outside a bool mask (H, W), float32, in pixels; the image border is a border."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1])
