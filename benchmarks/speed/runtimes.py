"""Networks on torch and on onnxruntime, in one run, one thread, CPU time.

    python benchmarks/speed/runtimes.py [--rounds N] [--model ID]...

Each network gets the input that a click gives it: `ritm/h18s` an image of 300 x 400 and its mirror image, the trained
default 320 x 320, FocalClick's coarse network and refiner 256 x 256. "plain" is torch with weights in torch's default
order of memory, "torch" the model as it is loaded (`smp` is channels-last), "onnx" `runtime=onnx`.
Rounds alternate between them; the figures are medians, and medians of the ratios within a round. Weights are synthetic
but those of the trained default: they do not change the time.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from iiszoo import load_model
from iiszoo.models.synthetic_weights import about, normal
from iiszoo.protocol import Model
from iiszoo.testing import load_synthetic

MODELS = ("smp/unet-lite0", "ritm/h18s", "focalclick/segformerb0-s2", "focalclick/hrnet18s-s2", "simpleclick/xtiny")
SIZES = {"ritm": (2, 300, 400), "smp": (1, 320, 320), "focalclick": (1, 256, 256), "simpleclick": (2, 448, 448)}
OWN = {"scale": about(1), "pos_embed": normal(0.02)}
MODULES = {"ritm": "network", "simpleclick": "network", "focalclick": "networks"}
Call = Callable[[], Any]


def loaded(model: str, runtime: str) -> Model:
    family = model.partition("/")[0]
    name = f"{model}?runtime={runtime}"
    if family == "smp":
        return load_model(name)
    networks = import_module(f"iiszoo_{family}.{MODULES[family]}").NETWORKS
    return load_synthetic(name, networks[model](), own=OWN)


def calls(model: str) -> dict[str, Call]:
    """What is timed, by name."""
    torch_model, onnx_model = (loaded(model, runtime).function for runtime in ("torch", "onnx"))
    plain = copy.deepcopy(torch_model)
    batch, *size = SIZES[model.partition("/")[0]]
    image, maps = torch.rand(batch, 3, *size), torch.rand(batch, 3, *size)
    if model.startswith("focalclick"):
        plain.networks.network.coarse.to(memory_format=torch.contiguous_format)
        boxes = torch.tensor([[40.0, 50.0, 180.0, 200.0]])

        def both(parts: Any) -> Call:
            def call() -> Any:
                logits, features = parts.coarse(image, maps)
                return parts.refine(image, maps[:, :2], features, logits, boxes)

            return call

        return {
            "plain": both(plain.networks.network),
            "torch": both(torch_model.networks.network),
            "onnx": both(onnx_model.networks.network),
        }
    plain.network.network.to(memory_format=torch.contiguous_format)
    return {
        "plain": lambda: plain.network.network(image, maps),
        "torch": lambda: torch_model.network.network(image, maps),
        "onnx": lambda: onnx_model.network.network(image, maps),
    }


def timed(call: Call) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", action="append", help=f"default: {', '.join(MODELS)}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'model':<28}{'plain ms':>9}{'torch ms':>9}{'onnx ms':>8}{'plain/torch':>12}{'plain/onnx':>11}{'off':>9}")
    with torch.inference_mode():
        for model in arguments.model or MODELS:
            ways = calls(model)
            answers = {name: call().sigmoid() for name, call in ways.items()}
            off = float((answers["plain"] - answers["onnx"]).abs().max())
            rounds = [{name: timed(call) for name, call in ways.items()} for _ in range(arguments.rounds)]
            median = {name: 1e3 * statistics.median(one[name] for one in rounds) for name in ways}
            ratio = {name: statistics.median(one["plain"] / one[name] for one in rounds) for name in ways}
            print(
                f"{model:<28}{median['plain']:>9.0f}{median['torch']:>9.0f}{median['onnx']:>8.0f}"
                f"{ratio['torch']:>12.2f}{ratio['onnx']:>11.2f}{off:>9.0e}",
                flush=True,
            )
    print("off: the largest difference of a probability")


if __name__ == "__main__":
    main()
