"""Draw the picture at the top of README.md and of the site: one object after one, two, ... clicks.

    python docs/draw_front.py

The photograph and its target are of the embedded dataset; the model is smp/unet-lite0, the clicks are those of the
robot `ritm`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import iiszoo
from iiszoo.data.drawing import drawn

FILE = Path(__file__).parent / "front.jpg"
SAMPLE = "astronaut__woman"
STEPS = (1, 2, 3)
GAP = 16
"""Pixels between two pictures."""
PALENESS = 0.35
"""How much of the background's contrast is left."""


def main() -> None:
    sample = next(sample for sample in iiszoo.load_dataset("demo") if sample.id == SAMPLE)
    image = sample.read_image()
    model, robot = iiszoo.load_model("smp/unet-lite0"), iiszoo.load_robot("ritm")
    gap = np.full((image.shape[0], GAP, 3), 255, np.uint8)
    pictures, positives, negatives = [], [], []
    session = iiszoo.run_session(model, robot, sample, max_clicks=STEPS[-1], target_iou=1.0)
    for number, step in enumerate(session, 1):
        positives += step.positives
        negatives += step.negatives
        mask = np.asarray(step.output[0, 0]) > model.threshold
        print(f"{number} clicks: IoU {step.iou:.3f}")
        if number in STEPS:
            pictures += [drawn(faded(image, mask), np.zeros_like(mask), positives, negatives), gap]
    strip = cv2.resize(np.concatenate(pictures[:-1], axis=1), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(FILE), strip[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(FILE, strip.shape)


def faded(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image uint8 (H, W, 3), with all but the mask in pale grey: the astronaut's suit has the colour of a tint."""
    grey = 255 - (255 - image.mean(axis=2, keepdims=True)) * PALENESS
    return np.where(mask[..., None], image, grey.round().astype(np.uint8))


if __name__ == "__main__":
    main()
