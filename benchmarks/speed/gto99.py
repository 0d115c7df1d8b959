"""The cost of a click of gto99/resnet50, and the gain of standardising the weights once instead of at every click.

    python benchmarks/speed/gto99.py [--clicks N] [--rounds R] [--size H W]

Sessions on a cut of an embedded photograph, on one CPU thread; times are CPU times. The network that standardises its
weights at every click, as in upstream, alternates with the one that iiszoo uses. The cost of a click does not depend on
the weights: they are random, so nothing is fetched.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins" / "iiszoo_gto99")]  # measure this checkout, installed or not

import iiszoo  # noqa: E402
import iiszoo_gto99.model  # noqa: E402
from iiszoo.protocol import to_tensor  # noqa: E402
from iiszoo_gto99.model import Gto99  # noqa: E402
from iiszoo_gto99.network import Network  # noqa: E402
from iiszoo_gto99.standardised import fold  # noqa: E402

Times = dict[str, list[float]]


def photograph(size: tuple[int, int]) -> torch.Tensor:
    """x (1, 3, H, W): the upper left part of an embedded photograph, repeated if `size` is larger."""
    pixels = to_tensor(iiszoo.load_dataset("demo")[0].read_image())
    rows, cols = (torch.arange(n) % have for n, have in zip(size, pixels.shape[1:], strict=True))
    return pixels[None, :, rows][..., cols]


def timed(name: str, function: Callable[..., Any], times: Times) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        begin = time.thread_time()
        answer = function(*arguments)
        times[name].append(time.thread_time() - begin)
        return answer

    return call


def session(model: Gto99, x: torch.Tensor, n_clicks: int, times: Times) -> None:
    """Clicks at random positions, every third one negative."""
    rng = np.random.default_rng(0)
    z = timed("image", model.init_z, times)(x)
    pcs: Any = []
    ncs: Any = []
    for k in range(n_clicks):
        click = [(int(rng.integers(x.shape[2])), int(rng.integers(x.shape[3])))]
        pcs, ncs = ([*pcs, [[]]], [*ncs, [click]]) if k % 3 == 2 else ([*pcs, [click]], [*ncs, [[]]])
        _, z = timed("click", model, times)(x, z, pcs, ncs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clicks", type=int, default=5, help="of each session; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=[281, 400], help="H W of the image; default: 281 400")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)

    every_click = Network().eval().requires_grad_(False)
    once = copy.deepcopy(every_click)
    fold(once)
    x = photograph(tuple(arguments.size))
    encode = iiszoo_gto99.model.encode
    measured = {"once": defaultdict[str, list[float]](list), "every click": defaultdict[str, list[float]](list)}
    networks = {"once": once, "every click": every_click}
    models = {}
    for name, network in networks.items():
        network.forward = timed("network", network.forward, measured[name])  # type: ignore[method-assign]
        models[name] = Gto99(network)
    for _ in range(arguments.rounds):
        for name, model in models.items():
            iiszoo_gto99.model.encode = timed("click maps", encode, measured[name])
            session(model, x, arguments.clicks, measured[name])

    print(f"gto99/resnet50, {x.shape[2]}x{x.shape[3]}, one thread, {arguments.rounds} sessions of {arguments.clicks}")
    for name, times in measured.items():
        ms = {part: 1e3 * float(np.median(found)) for part, found in times.items()}
        rest = ms["click"] - ms["network"] - ms["click maps"]
        print(f"  weights standardised {name}: {ms['click']:.0f} ms per click")
        print(f"    network {ms['network']:.0f}, click maps {ms['click maps']:.0f}, rest {rest:.0f}")
        print(f"    and {ms['image']:.0f} ms per image")


if __name__ == "__main__":
    main()
