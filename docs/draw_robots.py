"""Draw the pictures of docs/robots.md: where each robot clicks on the same prediction.

    python docs/draw_robots.py

The photograph and its target are `camera__man` of the embedded dataset; the prediction is that of classic/geocut after
one click. False negatives are tinted blue, false positives orange; positive clicks are green, negative ones red.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import iiszoo
from iiszoo.clicking.regions import connected_components
from iiszoo.clicking.robots import errors
from iiszoo.protocol import to_tensor

FOLDER = Path(__file__).parent / "robots"
SAMPLE = "camera__man"
SCALE = 2
"""Enlargement of the photograph for drawing, so that the dots are round, ..."""
SHRINK = 0.6
"""... and the scale at which the drawing is saved."""

BLUE, ORANGE, GREEN, RED = (40, 110, 255), (255, 140, 0), (40, 220, 60), (255, 30, 40)

N_PEOPLE = 150
CORRECTED, SESSION, PEOPLE = "corrected", "session", "people"
ROBOTS = {
    # clicks in order, with each clicked error corrected, or with none; or the first clicks of many people
    "ritm": CORRECTED,
    "center-largest": CORRECTED,
    "gto99": SESSION,
    "noisy-ritm": PEOPLE,
    "boundary": PEOPLE,
    "random": PEOPLE,
    "random-false": PEOPLE,
    "random-largest": PEOPLE,
    "distance": PEOPLE,
    "distance-sequential": SESSION,
    "mix:ritm=0.7,random-false=0.3": PEOPLE,
}


def main() -> None:
    dataset = iiszoo.load_dataset("demo")
    sample = next(sample for sample in dataset if sample.id == SAMPLE)
    image, target = sample.read_image(), sample.read_target().object
    output = first_output(image, target)
    FOLDER.mkdir(exist_ok=True)
    for robot, how in ROBOTS.items():
        prediction = output[0, 0].numpy() > 0.5
        picture = tinted(image, target, prediction)
        clicks = people(robot, output, target) if how == PEOPLE else session(robot, prediction, target, how)
        for number, (row, col) in enumerate(clicks, 1):
            dot(picture, row, col, GREEN if target[row, col] else RED, "" if how == PEOPLE else str(number))
        name = f"{robot.partition(':')[0]}.jpg"
        small = cv2.resize(picture, None, fx=SHRINK, fy=SHRINK, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(FOLDER / name), small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
        print(f"{name}: {len(clicks)} clicks")


def first_output(image: NDArray[np.uint8], target: NDArray[np.bool_]) -> torch.Tensor:
    """(1, 1, H, W): the model's output after the first click."""
    model, robot = iiszoo.load_model("classic/geocut"), iiszoo.load_robot("ritm")
    x = to_tensor(image)[None]
    z = model.init_z(x)
    pcs, ncs = robot(z["prev_output"], torch.from_numpy(target)[None, None], [], [])
    y, _ = model(x, z, pcs, ncs)
    assert isinstance(y, torch.Tensor)
    return y


def session(
    robot: str, prediction: NDArray[np.bool_], target: NDArray[np.bool_], how: str, n: int = 8
) -> list[tuple[int, int]]:
    """`n` clicks, one after another; CORRECTED: each corrects the connected error it lies on."""
    prediction = prediction.copy()
    generators = [np.random.default_rng(0)]
    pcs, ncs = [], []
    clicks = []
    for _ in range(n):
        output = torch.from_numpy(prediction.astype(np.float32))[None, None]
        pcs, ncs = iiszoo.load_robot(robot)(
            output, torch.from_numpy(target)[None, None], pcs, ncs, generators=generators
        )
        (click,) = pcs[-1][0] + ncs[-1][0]
        clicks.append(click)
        if how == CORRECTED:
            false_negative, false_positive = errors(target, prediction, None)
            labels, _ = connected_components(false_negative if target[click] else false_positive, 8)
            prediction ^= labels == labels[click]
    return clicks


def people(robot: str, output: torch.Tensor, target: NDArray[np.bool_], n: int = N_PEOPLE) -> list[tuple[int, int]]:
    """The first click of `n` people."""
    generators = [np.random.default_rng(seed) for seed in range(n)]
    outputs, targets = output.expand(n, -1, -1, -1), torch.from_numpy(target).expand(n, 1, -1, -1)
    pcs, ncs = iiszoo.load_robot(robot)(outputs, targets, [], [], generators=generators)
    return [point for clicks in (pcs, ncs) for element in clicks[0] for point in element]


def tinted(image: NDArray[np.uint8], target: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> NDArray[np.uint8]:
    large = cv2.resize(image, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    for error, colour in zip(errors(target, prediction, None), (BLUE, ORANGE), strict=True):
        where = np.kron(error, np.ones((SCALE, SCALE), bool))
        large[where] = 0.45 * large[where] + 0.55 * np.array(colour, np.float32)
    return np.ascontiguousarray(large.clip(0, 255).astype(np.uint8))


def dot(picture: NDArray[np.uint8], row: int, col: int, colour: tuple[int, int, int], label: str) -> None:
    x, y = SCALE * col + SCALE // 2, SCALE * row + SCALE // 2
    radius = 13 if label else 6
    cv2.circle(picture, (x, y), radius + 2, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA)
    if label:
        (width, height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 2)
        at = (x - width // 2, y + height // 2)
        cv2.putText(picture, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 2, cv2.LINE_AA)


if __name__ == "__main__":
    main()
