"""The cost of SAM 2.1 and EdgeTAM: encoding an image, a click, and what a click costs outside the network.

    python benchmarks/speed/sam2.py [--model ID] [--clicks N] [--sessions N] [--size H W] [--checkpoint FILE]

One thread; CPU seconds, which other work on the machine changes less than time. Medians over all clicks except each
session's first.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins" / "iiszoo_sam2")]  # measure this checkout, installed or not

from click_split import Stopwatch, asked  # noqa: E402

from iiszoo.models.synthetic_weights import normal  # noqa: E402
from iiszoo.protocol import Model, to_tensor  # noqa: E402
from iiszoo_sam2.networks import NETWORKS  # noqa: E402

OWN = {
    "pos_embed": normal(0.02),
    "pos_embed_window": normal(0.2),
    "no_memory_embedding": normal(0.2),
    "positional_embedding": normal(1.0),
}


def main() -> None:
    arguments, model = asked(__doc__, "sam2/tiny", lambda id: NETWORKS[id](), OWN, n_sessions=3)
    measure(model, arguments.sessions, arguments.clicks, arguments.size)


def measure(model: Model, n_sessions: int, n_clicks: int, size: list[int]) -> None:
    """Sessions of random clicks on noise: what is drawn costs nothing, what is clicked changes nothing."""
    random = np.random.default_rng(0)
    call = Stopwatch(model, time.process_time)
    encoder = model.function.encoder = Stopwatch(model.function.encoder, time.process_time)
    decoder = model.function.decoder = Stopwatch(model.function.decoder, time.process_time)
    encoding, rows = [], []
    with torch.no_grad():
        for _ in range(n_sessions):
            x = to_tensor(random.integers(0, 256, (*size, 3), dtype=np.uint8))[None]
            z = model.init_z(x)
            encoding.append(encoder.taken())
            pcs: list[Any] = []
            ncs: list[Any] = []
            for k in range(n_clicks):
                click = [[(int(random.integers(size[0])), int(random.integers(size[1])))]]
                pcs, ncs = [*pcs, click if k % 2 == 0 else [[]]], [*ncs, click if k % 2 else [[]]]
                _, z = call(x, z, pcs, ncs)
                row = call.taken(), decoder.taken()
                if k:
                    rows.append(row)
    total, network = 1e3 * np.array(rows).T
    print(f"{model.name}, {size[0]} x {size[1]}: {n_sessions} sessions of {n_clicks} clicks, CPU time on one thread")
    print(f"  encoder              {np.median(encoding):8.2f} s per image")
    print(f"  click                {np.median(total):8.1f} ms")
    print(f"  outside the network  {np.median(total - network):8.2f} ms, {100 * np.median(1 - network / total):.2f} %")


if __name__ == "__main__":
    main()
