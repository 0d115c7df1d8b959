"""What a GPU makes of the torch families: exactness, precisions, batch sizes, CUDA graphs, and the bench around them.

    python benchmarks/speed/gpu.py [--model ID ...] [--precision NAME ...] [--seconds N] [--device cuda] [--json FILE]

Five parts, in one call; with the time used up, the rest is left out, and named:

- the default, with its trained weights, on the embedded dataset: NoC and last masks in each precision, beside the CPU's
- each family against the CPU, under synthetic weights: the largest difference of a probability. Masks are not compared:
  outputs of random weights lie near the threshold, and flips mean nothing
- milliseconds per click and session of 4 clicks on images of 480 x 640, by precision and batch size
- the same with CUDA graphs
- the bench, with 32 sessions per call, beside the model alone
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from click_split import OWN
from harness import Synthetic

import iiszoo
from iiszoo.builtin.models import PRECISIONS
from iiszoo.clicking.loading import load_robot
from iiszoo.data.base import EvaluationDataset
from iiszoo.device import check_device
from iiszoo.engine import metrics, pipeline
from iiszoo.engine.evaluation_protocol import EvaluationProtocol
from iiszoo.engine.grouping import by_image
from iiszoo.engine.runs.trace import Trace, unpack_mask
from iiszoo.protocol import Model
from iiszoo.testing import fill

FAMILIES = (
    "ritm/h18s",
    "focalclick/segformerb0-s2",
    "simpleclick/vit-b",
    "ritm/h32",
    "focalclick/segformerb3-s2",
    "simpleclick/vit-l",
)
DEFAULT = "smp/unet-lite0"
BATCHES = (1, 8, 32)
SIZE = (480, 640)
N_CLICKS = 4
ROUNDS = 3
RULES = EvaluationProtocol(threshold=0.5, max_clicks=N_CLICKS, target_iou=1.0)


class Clock:
    """The time that is left; what does not fit is named at the end."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.left_out: list[str] = []

    def fits(self, what: str) -> bool:
        if time.monotonic() < self._until:
            return True
        self.left_out.append(what)
        return False


def untrained(id: str) -> torch.nn.Module:
    """The network of a family's model."""
    from importlib import import_module

    family = id.split("/")[0]
    module = import_module(f"iiszoo_{family}.{'networks' if family == 'focalclick' else 'network'}")
    network: torch.nn.Module = module.NETWORKS[id.partition("?")[0]]()
    return network


def synthetic(name: str, device: str) -> Model:
    """A family's model under synthetic weights; its options are in its name."""
    return iiszoo.load_model(name, checkpoint=checkpoint_of(name.partition("?")[0]), device=device)


@functools.cache
def checkpoint_of(id: str) -> Path:
    """A checkpoint with synthetic weights, made once: those of a large network take seconds to draw."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.save(fill(untrained(id), own=OWN).state_dict(), folder / "synthetic.pth")
    return folder / "synthetic.pth"


def images(n: int, device: str) -> torch.Tensor:
    """Blobs of colour, float32 (n, 3, H, W)."""
    generator = torch.Generator().manual_seed(n)
    coarse = torch.rand(n, 3, 12, 16, generator=generator)
    return torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic").clamp(0, 1).to(device)


def session(model: Model, x: torch.Tensor) -> list[torch.Tensor]:
    """The answers to four clicks in every image, three on an object in the middle and one beside it."""
    places = [(240, 320, 1), (200, 280, 1), (60, 60, 0), (280, 360, 1)]
    z, pcs, ncs, answers = model.init_z(x), [], [], []
    for row, col, positive in places:
        here, nothing = [[(row, col)] for _ in range(len(x))], [[] for _ in range(len(x))]
        pcs, ncs = [*pcs, here if positive else nothing], [*ncs, nothing if positive else here]
        y, z = model(x, z, pcs, ncs)
        answers.append(y)
    return answers


def per_click(model: Model, x: torch.Tensor) -> float:
    """Milliseconds per click and session: the median of some rounds, after two to warm up (and to make graphs)."""
    taken = []
    for _ in range(2 + ROUNDS):
        wait(x)
        began = time.perf_counter()
        session(model, x)
        wait(x)
        taken.append(1e3 * (time.perf_counter() - began) / (N_CLICKS * len(x)))
    return statistics.median(taken[2:])


def wait(x: torch.Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def exactness(names: list[str], precisions: list[str], device: str, clock: Clock) -> Iterator[dict[str, Any]]:
    """The largest difference of a probability from the CPU's, in two images of four clicks."""
    for name in names:
        if not clock.fits(f"{name} against the CPU"):
            continue
        exact = session(synthetic(name, "cpu"), images(2, "cpu"))
        for precision in precisions:
            found = session(synthetic(f"{name}?precision={precision}", device), images(2, device))
            apart = [float((a - b.cpu()).abs().max()) for a, b in zip(exact, found, strict=True)]
            yield {"model": name, "precision": precision, "largest difference": max(apart), "at click 1": apart[0]}


def trained(precisions: list[str], device: str, clock: Clock) -> Iterator[dict[str, Any]]:
    """The default on the embedded dataset: NoC, and the last masks' mean IoU with the CPU's."""
    dataset = iiszoo.load_dataset("demo")
    reference: dict[str, Any] = {}
    for where, precision in [("cpu", "float32"), *((device, precision) for precision in precisions)]:
        if not clock.fits(f"{DEFAULT} in {precision}"):
            continue
        model = iiszoo.load_model(f"{DEFAULT}?precision={precision}", device=where)
        traces, _ = run(model, dataset, EvaluationProtocol(threshold=0.5), 4)
        masks = {trace.sample: unpack_mask(trace.final_mask, trace.size) for trace in traces}
        reference = reference or masks
        same = [metrics.iou(masks[id].astype(np.float32), reference[id], None) for id in masks]
        nocs = [metrics.noc(trace, 0.9, 20) for trace in traces]
        yield {
            "device": where,
            "precision": precision,
            "NoC@90": np.mean(nocs),
            "masks' IoU with the CPU's": np.mean(same),
        }


def run(
    model: Model, dataset: EvaluationDataset, rules: EvaluationProtocol, batch_size: int
) -> tuple[list[Trace], float]:
    """All sessions through the bench's pipeline, and the seconds that took."""
    traces: list[Trace] = []
    groups = [group[:1] for group in by_image(dataset)]
    began = time.perf_counter()
    pipeline.run(model, load_robot("ritm"), dataset, groups, rules.resolved(0.5), traces.append, batch_size=batch_size)
    return traces, time.perf_counter() - began


class Blobs(Synthetic):
    """`Synthetic` often enough to fill batches of 32, at the size of the other measurements."""

    def __len__(self) -> int:
        return 192

    def __init__(self) -> None:
        super().__init__()
        height, width = SIZE
        self.image = np.ascontiguousarray(self.image[:height, :width])
        self.targets = [target._replace(object=target.object[:height, :width]) for target in self.targets]

    def sample(self, i: int) -> Any:
        found = super().sample(i % len(self.targets))
        return type(found)(f"{i:03}", f"{i:03}", (), found.read_image, found.read_target)


def whole_bench(names: list[str], precision: str, device: str, clock: Clock) -> Iterator[dict[str, Any]]:
    """Clicks per second of the bench, with 32 sessions per call, beside those of the model alone."""
    dataset = Blobs()
    for name in names:
        if not clock.fits(f"the bench with {name}"):
            continue
        model = synthetic(f"{name}?precision={precision}", device)
        alone = 1e3 / per_click(model, images(32, device))
        run(model, dataset, RULES, 32)
        traces, seconds = run(model, dataset, RULES, 32)
        rate = sum(len(trace.iou) for trace in traces) / seconds
        yield {"model": name, "precision": precision, "alone": alone, "bench": rate, "share": rate / alone}


def speed(names: list[str], precisions: list[str], options: str, device: str, clock: Clock) -> Iterator[dict[str, Any]]:
    """Milliseconds per click and session, with further `options` of the models."""
    for name in names:
        for precision in precisions:
            if clock.fits(f"{name} in {precision}{options}"):
                model = synthetic(f"{name}?precision={precision}{options}", device)
                times = {f"batch {n}": per_click(model, images(n, device)) for n in BATCHES}
                yield {"model": name, "precision": precision, **times}


def report(title: str, rows: Iterator[dict[str, Any]], found: dict[str, Any]) -> None:
    """Print the rows as they are measured, and keep them."""
    print(f"\n{title}")
    for row in rows:
        found.setdefault(title, []).append(row)
        print(
            "  "
            + "  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items())
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", action="append", help="one of the families; default: six of them")
    parser.add_argument("--seconds", type=float, default=300, help="no part begins after that; default: %(default)s")
    parser.add_argument("--precision", action="append", help="default: all that the device has")
    parser.add_argument("--device", default="cuda", help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write the figures to a file too")
    arguments = parser.parse_args()
    check_device(arguments.device)
    device, clock, names = arguments.device, Clock(arguments.seconds), arguments.model or list(FAMILIES)
    on_gpu = device.startswith("cuda")
    precisions = arguments.precision or [precision for precision in PRECISIONS if on_gpu or precision != "tf32"]
    card = torch.cuda.get_device_name(device) if on_gpu else "a CPU"
    print(f"{card}, torch {torch.__version__}, {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    found: dict[str, Any] = {"device": card, "torch": torch.__version__}
    parts: list[tuple[str, Callable[[], Iterator[dict[str, Any]]]]] = [
        ("the trained default on the demo set", lambda: trained(precisions, device, clock)),
        ("largest difference of a probability from the CPU", lambda: exactness(names[:3], precisions, device, clock)),
        ("ms per click and session", lambda: speed(names, precisions, "", device, clock)),
        (
            "ms per click and session, CUDA graphs",
            lambda: speed(names, ["float32", "bfloat16"] if on_gpu else [], "&cuda_graphs=true", device, clock),
        ),
        ("clicks per second, 32 sessions per call", lambda: whole_bench(names[:3], "bfloat16", device, clock)),
    ]
    with torch.no_grad():
        for title, part in parts:
            report(title, part(), found)
    if clock.left_out:
        print(f"\nleft out, no time: {', '.join(clock.left_out)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
