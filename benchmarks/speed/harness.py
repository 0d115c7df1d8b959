"""The harness against a plain loop written from the published evaluation protocol, on the same samples, in one run.

    python benchmarks/speed/harness.py [--samples N] [--rounds N] [--root DIR]

The plain loop is what a reader of RITM's evaluation protocol would write: one image at a time; two precise distance
transforms of the full image per click; IoU by numpy on full masks; the model's call, and nothing else. Ours is
`pipeline.run`, as `iiszoo bench` uses it. Three models cost the same in both loops: one that answers immediately (every
session takes all its clicks), one that paints a disc (sessions end, error sizes vary), and one that sleeps 10 ms per
call, with one and with five sessions per call. One thread for torch and OpenCV. Rounds alternate between the two loops;
the figures are medians over rounds and their ratio. "ideal" is the ratio of a loop that does nothing but sleep.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

import iiszoo
import iiszoo.protocol
from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.engine import pipeline
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.trace import Trace
from iiszoo.protocol import to_tensor

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = EvaluationProtocol(threshold=0.5)
CALL_SECONDS = 0.010
Answer = Callable[[np.ndarray, list[tuple[int, int, bool]]], np.ndarray]


def nothing(previous: np.ndarray, clicks: list[tuple[int, int, bool]]) -> np.ndarray:
    """A null model: no object anywhere, whatever the clicks."""
    return previous


def painted(previous: np.ndarray, clicks: list[tuple[int, int, bool]]) -> np.ndarray:
    """Paint a disc around the newest click: nearly free, and its errors have all sizes."""
    row, col, positive = clicks[-1]
    answer = previous.copy()
    cv2.circle(answer, (col, row), 35, 1.0 if positive else 0.0, -1)
    return answer


def slowly(previous: np.ndarray, clicks: list[tuple[int, int, bool]]) -> np.ndarray:
    """10 ms per call, painting included, with an idle CPU, as on a GPU."""
    until = time.perf_counter() + CALL_SECONDS
    answer = painted(previous, clicks)
    time.sleep(max(0.0, until - time.perf_counter()))
    return answer


class Batched:
    """The same answers in the standard format; a call sleeps once, however many sessions it has."""

    ragged = True

    def __init__(self, answer: Answer, seconds: float = 0.0) -> None:
        self.answer, self.seconds = answer, seconds

    def __call__(self, x, z, pcs, ncs):
        until = time.perf_counter() + self.seconds
        outputs = []
        for b in range(len(x)):
            newest = [(*at, True) for at in pcs[-1][b]] + [(*at, False) for at in ncs[-1][b]]
            outputs.append(torch.from_numpy(self.answer(z["prev_output"][b][0].numpy(), newest))[None])
        if self.seconds:
            time.sleep(max(0.0, until - time.perf_counter()))
        return iiszoo.protocol.join(outputs)


class Synthetic(EvaluationDataset):
    """Blobs on noise at 480 x 854, the size of DAVIS's frames; created in memory, so that nothing is read."""

    name = "synthetic 480x854"
    place = Path()

    def __len__(self) -> int:
        return 50

    def __init__(self) -> None:
        noise = np.random.default_rng(0).standard_normal((len(self), 480, 854)).astype(np.float32)
        self.image = np.random.default_rng(1).integers(0, 256, (480, 854, 3), np.uint8)
        self.targets = [Target(cv2.GaussianBlur(values, (0, 0), 60) > 0.002, None) for values in noise]

    def sample(self, i: int) -> Sample:
        return Sample(f"{i:02}", f"{i:02}", (), lambda: self.image, lambda: self.targets[i])


def plain_click(target: np.ndarray, wrong: np.ndarray, ignore: np.ndarray | None, clicked: np.ndarray):
    """RITM's clicker: (row, col, positive)."""
    valid = np.ones_like(target) if ignore is None else ~ignore
    maps = []
    for error in (target & ~wrong & valid, ~target & wrong & valid):
        padded = np.pad(error, 1).astype(np.uint8)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        maps.append(distance * ~clicked)
    positive = maps[0].max() > maps[1].max()
    row, col = np.unravel_index((maps[0] if positive else maps[1]).argmax(), target.shape)
    return int(row), int(col), bool(positive)


def plain_loop(dataset: EvaluationDataset, samples: list[int], answer: Answer) -> list[list]:
    """Every sample's clicks, by the published evaluation protocol, one after another."""
    sessions = []
    for i in samples:
        image = dataset[i].read_image()
        to_tensor(image)  # a model's input
        target, ignore = dataset[i].read_target()
        prediction = np.zeros(target.shape, np.float32)
        clicked = np.zeros(target.shape, bool)
        clicks: list = []
        for _ in range(RULES.max_clicks):
            row, col, positive = plain_click(target, prediction > 0.5, ignore, clicked)
            clicked[row, col] = True
            clicks.append((row, col, positive))
            prediction = answer(prediction, clicks)
            mask = prediction > 0.5
            valid = np.ones_like(target) if ignore is None else ~ignore
            iou = (mask & target & valid).sum() / ((mask | target) & valid).sum()
            if iou >= RULES.target_iou:
                break
        sessions.append(clicks)
    return sessions


def our_loop(dataset: EvaluationDataset, samples: list[int], model: Batched, batch_size: int) -> list[list]:
    """The same with `pipeline.run`."""
    traces: list[Trace] = []
    wanted = set(samples)
    groups = [[i for i in group if i in wanted] for group in by_image(dataset)]
    pipeline.run(
        iiszoo.as_model(model),
        iiszoo.load_robot("ritm"),
        dataset,
        [group for group in groups if group],
        RULES,
        traces.append,
        batch_size=batch_size,
    )
    traces.sort(key=lambda trace: trace.index)
    return [[(row, col, bool(positive)) for ((row, col, positive),) in trace.clicks] for trace in traces]


def timed(loop: Callable[[], list[list]]) -> tuple[float, list[list]]:
    began = time.perf_counter()
    sessions = loop()
    return time.perf_counter() - began, sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20, help="samples of each dataset")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--root", type=Path, default=REPOSITORY.parent / "shared" / "data")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    real = [name for name in ("grabcut", "berkeley") if (arguments.root / name).is_dir()]
    datasets = [iiszoo.load_dataset(name, arguments.root if real else None) for name in real or ["demo"]]
    print(f"{'model':<18}{'data':<20}{'sessions':>9}{'clicks':>8}", end="")
    print(f"{'plain s':>9}{'ours s':>8}{'ratio':>7}{'ideal':>7}{'same':>9}")
    for dataset in [*datasets, Synthetic()]:
        samples = list(range(min(arguments.samples, len(dataset))))
        our_loop(dataset, samples[:2], Batched(painted), 1)  # compile
        for title, answer, ours, batch_size in (
            ("null", nothing, Batched(nothing), 1),
            ("painted disc", painted, Batched(painted), 1),
            ("10 ms", slowly, Batched(painted, CALL_SECONDS), 1),
            ("10 ms, batch 5", slowly, Batched(painted, CALL_SECONDS), 5),
        ):
            pairs = []
            for _ in range(arguments.rounds):
                plain_seconds, plain = timed(partial(plain_loop, dataset, samples, answer))
                our_seconds, sessions = timed(partial(our_loop, dataset, samples, ours, batch_size))
                pairs.append((plain_seconds, our_seconds))
            same = sum(a == b for a, b in zip(plain, sessions, strict=True))
            plain_median, our_median = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
            clicks = sum(map(len, sessions))
            slept = clicks / batch_size * ours.seconds
            ideal = f"{plain_median / slept:.1f}" if slept else ""
            ratio = statistics.median(plain / ours for plain, ours in pairs)
            print(
                f"{title:<18}{dataset.name:<20}{len(samples):>9}{clicks:>8}{plain_median:>9.2f}"
                f"{our_median:>8.2f}{ratio:>7.1f}{ideal:>7}{f'{same}/{len(samples)}':>9}",
                flush=True,
            )
    print("same: sessions with identical clicks; others differ if OpenCV's float distances break a tie differently")


if __name__ == "__main__":
    main()
