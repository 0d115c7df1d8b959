"""Training speed: samples per second, and the time for data, clicks and network.

python benchmarks/speed/train.py benchmarks/training/unet_lite0.toml [--device cuda] [--seconds 6]
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from iiszoo.clicking.batch_distance import _gpu_kernel
from iiszoo.clicking.encode import add_disks
from iiszoo.clicking.next_click import next_clicks
from iiszoo.engine.training import config_file, data
from iiszoo.engine.training.networks import describe, new_network
from iiszoo.models.click_training import Interactions, answer
from iiszoo.models.losses import weighted_sum


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=5, help="per measurement")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--no-channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    config = config_file.read(options.config)
    given = {"batch_size": options.batch_size, "workers": options.workers}
    run = dataclasses.replace(config.run, **{key: value for key, value in given.items() if value is not None})
    config = dataclasses.replace(config, run=run)
    cuda = options.device.startswith("cuda")
    name = torch.cuda.get_device_name() if cuda else "CPU"
    print(f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, batches of {run.batch_size} at {config.size}")

    began = time.perf_counter()
    train, _ = data.sources(config)
    print(f"images read: {time.perf_counter() - began:.1f} s")
    samples = data.samples(config, train)
    samples[0]
    began, n = time.perf_counter(), 0
    while time.perf_counter() - began < min(3, options.seconds):
        samples[n]
        n += 1
    print(f"data, in this process: {n / (time.perf_counter() - began):.0f} samples/s")
    loader = data.loader(config, samples, 0)
    batches = iter(loader)
    kept = [next(batches)]
    began, n = time.perf_counter(), 0
    while time.perf_counter() - began < options.seconds:
        kept = [*kept[-3:], next(batches)]
        n += run.batch_size
    print(f"data, {loader.num_workers} workers: {n / (time.perf_counter() - began):.0f} samples/s")
    del batches
    kept = [batch.to(options.device) for batch in kept]

    description, _ = describe(config)
    network = new_network(config).to(options.device)
    if not options.no_channels_last:
        network = network.to(memory_format=torch.channels_last)
    if options.compile:
        network.compile()
    if cuda:
        torch.backends.cudnn.benchmark = True
        print(f"distances on the GPU: {_gpu_kernel() is not None}")
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=cuda)
    loss = weighted_sum([(term.weight, term.name, term.options) for term in config.loss])
    table = config.clicks
    rules = Interactions(table.further, table.threshold, table.depth, table.second_look)
    cycle = itertools.cycle(kept)
    numbers = itertools.count()

    def step(n_further: int | None = None) -> None:
        further = rules.number(0, next(numbers)) if n_further is None else n_further
        with torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            found = answer(network, next(cycle), description.encode(), loss, rules, further)
            total = found.loss.mean()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    batch = kept[0]
    image = batch.image.permute(0, 3, 1, 2).float().div(255)
    maps = torch.zeros(len(image), description.n_maps, *config.size, device=options.device)
    maps = maps.contiguous(memory_format=torch.channels_last)
    blurred = torch.nn.functional.avg_pool2d(batch.target.float(), 31, 1, 15)

    def look() -> None:
        network.eval()
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            network(image, maps)

    def click() -> None:
        add_disks(maps[:, -2:], next_clicks(blurred, batch.target.float(), batch.draws[:, 0]), 5)

    for what, function in (
        ("one forward pass, no gradient", look),
        ("next clicks and their maps", click),
        ("a step without further interactions", lambda: step(0)),
        ("a step with a random number of interactions", step),
    ):
        seconds = _measure(function, options.seconds, cuda)
        print(f"{what}: {1e3 * seconds:.1f} ms, {run.batch_size / seconds:.0f} samples/s")
    if cuda:
        print(f"memory: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


def _measure(function: Callable[[], None], seconds: float, cuda: bool) -> float:
    """Seconds per call, after three calls to warm up."""
    for _ in range(3):
        function()
    if cuda:
        torch.cuda.synchronize()
    began, n = time.perf_counter(), 0
    while n == 0 or time.perf_counter() - began < seconds:
        function()
        n += 1
    if cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / n


if __name__ == "__main__":
    main()
