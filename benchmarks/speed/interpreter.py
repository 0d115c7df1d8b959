"""What a click costs outside the network, in one interpreter: the harness, and the predictors of three families.

    python benchmarks/speed/interpreter.py [--sessions N] [--clicks N] [--size H W] [--rounds N]

Beside a GPU, threads share the interpreter's lock, and what holds it limits the bench. Pixels are worked on without the
lock (numba, OpenCV, torch), so the images are small here, and what is left is Python, and launching torch's operations.
Networks answer at once, with blobs that were drawn before. All sessions share calls, as on a GPU. Printed per click and
session: the least CPU time of the rounds; and what no other work on the machine changes, the calls of Python and C
functions, and the operations of torch.

harness: scoring, the robot, the pipeline and the traces' lines. The others: everything in the family's predictor, from
images, state and clicks to outputs and state, without its network.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from harness import Synthetic
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import iiszoo
from iiszoo.data.base import Sample, Target
from iiszoo.engine import pipeline
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.runs.trace import Trace
from iiszoo.models import click_model
from iiszoo.models.click_model import ClickModel, OnDisks
from iiszoo.models.zoom import Zoom
from iiszoo.protocol import Model, as_model
from iiszoo_focalclick.model import DiskNetworks, FocalClickModel
from iiszoo_focalclick.parts import Parts

SIDE = 32
"""Of the crops that the predictors show their networks."""


def blobs(n: int, size: tuple[int, int], seed: int) -> np.ndarray:
    """Smooth noise about 0, float32 (n, H, W)."""
    noise = np.random.default_rng(seed).standard_normal((n, *size)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(values, (0, 0), max(size) / 8) for values in noise])


class Drawn:
    """A network that answers with blobs, by the number and the size of its pictures."""

    def __init__(self) -> None:
        self._drawn: dict[torch.Size, Tensor] = {}

    def __call__(self, pictures: Tensor, *others: Tensor) -> Tensor:
        shape = pictures.shape
        if shape not in self._drawn:
            found = blobs(shape[0], (shape[2], shape[3]), hash(shape) % 1000)
            self._drawn[shape] = torch.from_numpy(3 * found / found.std())[:, None]
        return self._drawn[shape]


def predictors() -> dict[str, Model]:
    """Each family's predictor, with small crops."""
    network = Drawn()

    def coarse(image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        return network(image), image[:, :1, ::4, ::4]

    focal = FocalClickModel(DiskNetworks(Parts(5, coarse, network)), SIDE)
    return {
        "ritm": as_model(ClickModel(OnDisks(network), Zoom(SIDE, min_crop=16))),
        "simpleclick": as_model(ClickModel(OnDisks(network), Zoom((SIDE, SIDE), skip_clicks=-1, min_crop=16))),
        "focalclick": as_model(focal),
    }


def one_session_each(model: Model, n_sessions: int, n_clicks: int, size: tuple[int, int]) -> int:
    """Sessions of random clicks in one batch. Returns the clicks of all."""
    rng = np.random.default_rng(0)
    x = torch.zeros(n_sessions, 3, *size)
    z, pcs, ncs = model.init_z(x), [], []
    for _ in range(n_clicks):
        places = [(int(rng.integers(size[0])), int(rng.integers(size[1]))) for _ in range(n_sessions)]
        positive = rng.random(n_sessions) < 0.6
        pcs = [*pcs, [[at] if yes else [] for at, yes in zip(places, positive, strict=True)]]
        ncs = [*ncs, [[] if yes else [at] for at, yes in zip(places, positive, strict=True)]]
        _, z = model(x, z, pcs, ncs)
    return n_sessions * n_clicks


class Small(Synthetic):
    """Two batches of blobs of one size."""

    def __init__(self, n: int, size: tuple[int, int]) -> None:
        self.n = n
        self.image = np.zeros((*size, 3), np.uint8)
        self.targets = [Target(values > 0, None) for values in blobs(n, size, 1)]

    def __len__(self) -> int:
        return self.n

    def sample(self, i: int) -> Sample:
        return Sample(f"{i:03}", f"{i:03}", (), lambda: self.image, lambda: self.targets[i])


def harness(n_sessions: int, n_clicks: int, size: tuple[int, int]) -> Callable[[], int]:
    """The pipeline of twice `n_sessions` samples, in one thread, which returns the clicks of all."""
    dataset = Small(2 * n_sessions, size)
    answers = torch.from_numpy((blobs(n_sessions + n_clicks, size, 2) > 0).astype(np.float32))[:, None]
    model = as_model(lambda x, z, pcs, ncs: answers[len(pcs) :][: len(x)], "drawn")
    rules = EvaluationProtocol(threshold=0.5, max_clicks=n_clicks, target_iou=1.0).resolved(0.5)
    robot, groups = iiszoo.load_robot("ritm"), [[i] for i in range(len(dataset))]
    pipeline._WORTH_A_THREAD = float("inf")

    def run() -> int:
        traces: list[Trace] = []
        pipeline.run(model, robot, dataset, groups, rules, traces.append, batch_size=n_sessions)
        return sum(len(trace.iou) for trace in traces if trace.to_line())

    return run


class Operations(TorchDispatchMode):
    """Counts the operations of torch inside it."""

    n = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += 1
        return operation(*args, **(kwargs or {}))


def measure(run: Callable[[], int], rounds: int) -> tuple[float, float, float]:
    """Microseconds, calls and operations per click."""
    clicks = run()  # compiles, and draws the answers
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    with Operations() as operations:
        run()
    profile = cProfile.Profile()
    profile.runcall(run)
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return 1e6 * min(seconds) / clicks, calls / clicks, operations.n / clicks


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=32, help="per call; default: %(default)s")
    parser.add_argument("--clicks", type=int, default=20, help="of each session; default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=[48, 64], help="of the images; default: 48 64")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    click_model.CPU_BATCH = arguments.sessions
    n_sessions, n_clicks, size = arguments.sessions, arguments.clicks, tuple(arguments.size)
    runs: dict[str, Callable[[], int]] = {"harness": harness(n_sessions, n_clicks, size)}
    for name, model in predictors().items():
        runs[name] = lambda model=model: one_session_each(model, n_sessions, n_clicks, size)
    print(f"{'per click and session':<24}{'us':>8}{'calls':>8}{'torch':>8}")
    with torch.no_grad():
        for name, run in runs.items():
            microseconds, calls, operations = measure(run, arguments.rounds)
            print(f"{name:<24}{microseconds:>8.0f}{calls:>8.0f}{operations:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
