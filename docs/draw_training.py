"""Draw the pictures of docs/training.md: training samples with their clicks, and NoC over the steps of a run.

    python docs/draw_training.py                    # samples.jpg
    python docs/draw_training.py RUN_DIRECTORY      # and noc.jpg, of that run

The photographs are those of the embedded dataset. The target is tinted blue; positive clicks are green, negative ones
red. The first row of each pair shows a sample as it comes from the data, with its first clicks; the second row the same
sample after two further interactions with the network that ships: its last answer tinted orange, all clicks drawn.
"""

from __future__ import annotations

import csv
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import iiszoo
from iiszoo.clicking.first_clicks import deep_and_near
from iiszoo.clicking.next_click import next_clicks
from iiszoo.data.region_selector import random_single
from iiszoo.data.training.full_masks import Regions
from iiszoo.data.training.samples import TrainingSamples
from iiszoo.data.training.source import Source
from iiszoo.data.training.views import object_view

PLACE = Path(__file__).parent / "training"
SIZE = 160
BLUE, ORANGE, GREEN, RED = (40, 110, 255), (255, 140, 0), (40, 220, 60), (255, 30, 40)


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    data = Regions(iiszoo.load_dataset("demo"))
    view = partial(object_view, size=(SIZE, SIZE))
    samples = TrainingSamples([Source(data, [(1.0, random_single)], range(len(data)))], view, deep_and_near, seed=1)
    columns = []
    with torch.no_grad():
        for n in range(6):
            columns.append(np.concatenate(_column(samples, n), axis=0))
    picture = np.concatenate(columns, axis=1)
    cv2.imwrite(str(PLACE / "samples.jpg"), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    if len(sys.argv) > 1:
        cv2.imwrite(str(PLACE / "noc.jpg"), _curve(Path(sys.argv[1]))[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _column(samples: TrainingSamples, n: int) -> list[NDArray[np.uint8]]:
    """One sample as it comes, and after two further interactions."""
    item = samples[n]
    image, target = item.view.image, item.view.target
    first = _with_clicks(_tinted(image, target, BLUE), item.positives, item.negatives)
    session = iiszoo.Session("smp?size=160", image)
    session.interact(item.positives, item.negatives)
    positives, negatives = list(item.positives), list(item.negatives)
    for k in range(2):
        wanted = torch.from_numpy(target)[None, None].float()
        row, col, positive = next_clicks(session.output, wanted, torch.tensor([item.draws[k]]))[0].tolist()
        if row < 0:
            break
        (positives if positive else negatives).append((row, col))
        session.click(row, col, bool(positive))
    return [first, _with_clicks(_tinted(image, session.mask, ORANGE), positives, negatives)]


def _tinted(image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    picture = image.astype(np.float32)
    picture[mask] = 0.5 * picture[mask] + 0.5 * np.array(colour, np.float32)
    return cv2.resize(picture.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)


def _with_clicks(
    picture: NDArray[np.uint8], positives: list[tuple[int, int]], negatives: list[tuple[int, int]]
) -> NDArray[np.uint8]:
    for points, colour in ((positives, GREEN), (negatives, RED)):
        for row, col in points:
            cv2.circle(picture, (2 * col + 1, 2 * row + 1), 6, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, (2 * col + 1, 2 * row + 1), 5, colour, -1, cv2.LINE_AA)
    small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _curve(run: Path) -> NDArray[np.uint8]:
    """NoC@85 and NoC@90 over steps, from the run's log."""
    with (run / "log.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["noc90"]]
    steps = [int(row["step"]) for row in rows]
    height, width, left, bottom = 240, 420, 44, 36
    picture = np.full((height, width, 3), 255, np.uint8)
    text = partial(cv2.putText, fontFace=cv2.FONT_HERSHEY_SIMPLEX, fontScale=0.4, thickness=1, lineType=cv2.LINE_AA)

    def at(step: float, noc: float) -> tuple[int, int]:
        x = left + (width - left - 60) * step / max(steps)
        return round(x), round((height - bottom) * (1 - noc / 21))

    for noc in (0, 5, 10, 15, 20):
        cv2.line(picture, at(0, noc), at(max(steps), noc), (225, 225, 225), 1)
        text(img=picture, text=str(noc), org=(16, at(0, noc)[1] + 4), color=(90, 90, 90))
    for step in range(0, max(steps) + 1, 100):
        text(img=picture, text=str(step), org=(at(step, 0)[0] - 10, height - 20), color=(90, 90, 90))
    text(img=picture, text="steps", org=(width // 2 - 10, height - 4), color=(90, 90, 90))
    for name, colour in (("noc85", BLUE), ("noc90", ORANGE)):
        points = [at(step, float(row[name])) for step, row in zip(steps, rows, strict=True)]
        for one, other in pairwise(points):
            cv2.line(picture, one, other, colour, 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(picture, point, 3, colour, -1, cv2.LINE_AA)
        text(img=picture, text=f"NoC@{name[3:]}", org=(points[-1][0] + 6, points[-1][1] + 4), color=colour)
    return picture


if __name__ == "__main__":
    main()
