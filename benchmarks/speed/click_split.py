"""Where the time of a click goes in a model of `iiszoo.models.click_model`: shared by the families' speed scripts."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import iiszoo
from iiszoo.protocol import Model
from iiszoo.testing.synthetic_weights import fill


class Stopwatch:
    """A function whose calls are timed: `seconds` of the last one, and `size`, the shape of what it was given first."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds, self.size = function, 0.0, torch.Size()

    def __call__(self, *arguments: Any) -> Any:
        self.size = arguments[0].shape
        began = time.perf_counter()
        answer = self.function(*arguments)
        self.seconds = time.perf_counter() - began
        return answer


def main(description: str | None, default: str, empty: Callable[[str], nn.Module]) -> None:
    """The command line of a family's script; `empty` builds the network of a model id without any weights."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", default=default, help="default: %(default)s")
    parser.add_argument("--clicks", type=int, default=6, help="of each session; default: %(default)s")
    parser.add_argument("--sessions", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, help="default: synthetic weights, which take as long")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint or Path(folder) / "synthetic.pth"
        if not arguments.checkpoint:
            torch.save(fill(empty(arguments.model.partition("?")[0])).state_dict(), checkpoint)
        measure(iiszoo.load_model(arguments.model, checkpoint=checkpoint), arguments.sessions, arguments.clicks)


def measure(model: Model, n_sessions: int, n_clicks: int) -> None:
    """Sessions of the robot on the embedded dataset; prints medians over all clicks but each session's first."""
    on_disks = model.function.network
    network = Stopwatch(on_disks.network)
    encoded = Stopwatch(dataclasses.replace(on_disks, network=network))
    model.function.network = encoded
    call, robot, dataset = Stopwatch(model), iiszoo.load_robot("ritm"), iiszoo.load_dataset("demo")
    rows, sizes = [], []
    with torch.no_grad():
        for i in range(n_sessions):
            x = torch.from_numpy(dataset.read_image(i)).permute(2, 0, 1)[None].float() / 255
            target = torch.from_numpy(dataset.read_target(i).object)[None, None].float()
            z = model.init_z(x)
            y, pcs, ncs = z["prev_output"], [], []
            for k in range(n_clicks):
                pcs, ncs = robot(y, target, pcs, ncs, threshold=model.threshold)
                y, z = call(x, z, pcs, ncs)
                if k:
                    rows.append((call.seconds, encoded.seconds - network.seconds, network.seconds))
                    sizes.append(network.size)
    total, maps, within = 1e3 * np.array(rows).T
    rest = total - maps - within
    print(f"{model.name}: {len(rows)} clicks, input of the network most often {max(set(sizes), key=sizes.count)}")
    for name, taken in (("a click", total), ("network", within), ("click maps", maps), ("zoom, flip, paste", rest)):
        print(f"  {name:18} {np.median(taken):8.2f} ms  {100 * np.median(taken / total):6.2f} %")
    print(f"  outside the network: {100 * np.median((maps + rest) / within):.2f} % of its time")
