"""How much faster `disk` is than RITM's computation over whole maps, and whether its maps are bit-identical.

    python benchmarks/speed/encodings.py [--cases N] [--seed S]

Maps of 480x854 with 10 to 20 clicks, on the CPU with one thread; times are CPU times. RITM's computation (`DistMaps` of
`isegm/model/ops.py`) is `full_map_disks` of `tests/clicking/plain_rules.py`. Exit code 1 if a map differs.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "clicking")]  # measure this checkout, installed or not

from plain_rules import full_map_disks  # noqa: E402

from iiszoo.clicking.encode import MapClicks, disk  # noqa: E402

SIZE = (480, 854)
RADIUS = 5


def random_clicks(rng: np.random.Generator) -> tuple[MapClicks, MapClicks]:
    """(pcs, ncs) of one element, one click per interaction; half of the time between pixels, as in a zoomed image."""
    pcs: MapClicks = []
    ncs: MapClicks = []
    whole = rng.random() < 0.5
    for _ in range(rng.integers(10, 21)):
        at = rng.uniform(0, 1, 2) * SIZE
        click = (float(at[0] // 1), float(at[1] // 1)) if whole else (float(at[0]), float(at[1]))
        positive = rng.random() < 0.5
        pcs.append([[click] if positive else []])
        ncs.append([[] if positive else [click]])
    return pcs, ncs


def as_points(pcs: MapClicks, ncs: MapClicks) -> torch.Tensor:
    """RITM's points, (1, 2N, 3)."""
    parts = [[click for interaction in clicks for click in interaction[0]] for clicks in (pcs, ncs)]
    half = max(map(len, parts))
    rows = [(*click, 0.0) for part in parts for click in part + [(-1.0, -1.0)] * (half - len(part))]
    return torch.tensor([rows])


def timed(encode: Callable[..., torch.Tensor], *clicks: Any) -> tuple[float, torch.Tensor]:
    begin = time.thread_time()
    maps = encode(*clicks, SIZE, RADIUS)
    return time.thread_time() - begin, maps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    rng = np.random.default_rng(arguments.seed)
    disk(*random_clicks(rng), SIZE, RADIUS)
    seconds = np.empty((arguments.cases, 2))
    n_same = 0
    todo = iter([random_clicks(rng) for _ in range(arguments.cases)])
    done = 0
    while chunk := list(itertools.islice(todo, 20)):  # alternating, so that a slow phase of the machine affects both
        whole = [timed(full_map_disks, as_points(pcs, ncs)) for pcs, ncs in chunk]
        disks = [timed(disk, pcs, ncs) for pcs, ncs in chunk]
        for (whole_time, wanted), (disk_time, maps) in zip(whole, disks, strict=True):
            seconds[done] = whole_time, disk_time
            n_same += torch.equal(maps, wanted)
            done += 1

    ratio = seconds[:, 0].sum() / seconds[:, 1].sum()
    print(f"{arguments.cases} maps, disk is {ratio:.1f}x as fast by total time")
    for column, name in enumerate(("full maps", "disk")):
        ms = 1000 * seconds[:, column]
        p50, p95 = np.percentile(ms, [50, 95])
        print(f"  {name:9}  sum {ms.sum():8.1f} ms  p50 {p50:7.3f} ms  p95 {p95:7.3f} ms")
    print(f"  bit-identical: {n_same} of {arguments.cases}")
    return 0 if n_same == arguments.cases else 1


if __name__ == "__main__":
    sys.exit(main())
