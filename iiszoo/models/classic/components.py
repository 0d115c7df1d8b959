"""Connected parts of a mask, and how deep a point lies in it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def keep_clicked(mask: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """The 8-connected parts of a bool mask (H, W) that hold one of the points (N, 2); with no point the whole mask."""
    if len(points) == 0:
        return mask
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    kept = np.zeros(count, bool)
    kept[labels[points[:, 0], points[:, 1]]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def depth(mask: NDArray[Any]) -> NDArray[Any]:
    """Distance to the nearest pixel outside a bool mask (H, W), float32, in pixels; the image ends the mask."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1])
