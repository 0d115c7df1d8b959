"""How a run scales with its workers: a SIMULATION, from service times that were measured.

    python benchmarks/scale.py [RUN] [--samples N ...] [--workers N ...] [--start S] [--report S]
    python benchmarks/scale.py --measure

RUN is a directory that `iiszoo bench` wrote (default: sessions of smp/unet-lite0 on photographs, in
benchmarks/results): each sample's seconds of reading, encoding, model and robot are its service time. A larger dataset
draws from them with replacement. `iiszoo.engine.executors.dispatch`, the rules of a run on Ray, gives them to simulated
workers, event by event; a driver that handles one report at a time stands between them. Nothing is computed, no network
is simulated, and a worker answers its sessions one after another.

--start: seconds until a worker has begun; --report: the driver's seconds for each finished sample. `--measure` measures
both on this machine: a Ray cluster with one worker and a model that does nothing; and how workers add up whose model
waits. The last columns: a tenth of the
workers has half the speed; each worker dies once in ten minutes on average, and another takes its place.

Efficiency is the work done divided by what the workers could have done until the end, those of half speed counted half.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # measure this checkout, installed or not

from iiszoo.engine.executors.dispatch import Dispatch  # noqa: E402
from iiszoo.engine.runs import store  # noqa: E402
from iiszoo.engine.runs.trace import Trace  # noqa: E402

ROOM = 7
"""Images that a worker has at most with batch size 1: two sessions, three read ahead, two that wait."""


@dataclass(eq=False)
class Hand:
    """A simulated worker."""

    speed: float
    waiting: deque[int] = field(default_factory=deque)
    busy: bool = False
    finishing: bool = False
    n_held: int = 0
    gone: bool = False


@dataclass(frozen=True)
class Cluster:
    """What is simulated. `losses`: expected deaths of one worker in an hour; a new one takes its place."""

    n_workers: int
    start: float
    report: float
    slow_share: float = 0.0
    losses: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Seconds until everything is done, the efficiency, and how many workers were lost."""

    seconds: float
    efficiency: float
    n_lost: int


def simulate(services: Sequence[float], cluster: Cluster, seed: int = 0) -> Outcome:
    """Run samples of these service times, one an image, on a cluster."""
    chance = random.Random(seed)
    dispatch: Dispatch[Hand] = Dispatch([[i] for i in range(len(services))])
    events: list[tuple[float, int, str, Hand, int]] = []
    order = itertools.count()
    driver_free = end = 0.0
    n_lost = 0
    hands: list[Hand] = []

    def at(moment: float, kind: str, hand: Hand, sample: int = -1) -> None:
        heapq.heappush(events, (moment, next(order), kind, hand, sample))

    def hire(moment: float, speed: float) -> None:
        hand = Hand(speed)
        hands.append(hand)
        at(moment + cluster.start, "begin", hand)
        if cluster.losses:
            at(moment + chance.expovariate(cluster.losses / 3600), "die", hand)

    def work(moment: float, hand: Hand) -> None:
        if hand.waiting and not hand.busy and not hand.gone:
            hand.busy, sample = True, hand.waiting.popleft()
            at(moment + services[sample] / hand.speed, "end", hand, sample)

    def give(moment: float, hand: Hand) -> None:
        given = dispatch.give(hand, 0 if hand.finishing else ROOM - hand.n_held)
        samples = [sample for group in given.groups for sample in group]
        hand.waiting += samples
        hand.n_held += len(samples)
        hand.finishing = bool(hand.n_held) and (hand.finishing or not given.more)
        work(moment, hand)

    slow = round(cluster.slow_share * cluster.n_workers)
    speeds = [0.5] * slow + [1.0] * (cluster.n_workers - slow)
    for speed in speeds:
        hire(0.0, speed)
    joined: set[Hand] = set()
    while not dispatch.finished:
        moment, _, kind, hand, sample = heapq.heappop(events)
        if hand.gone:
            continue
        if kind == "die":
            hand.gone, n_lost = True, n_lost + 1
            if hand in joined:
                joined.remove(hand)
                dispatch.lost(hand)
            hire(moment, hand.speed)
        elif kind == "begin":
            joined.add(hand)
            dispatch.join(hand)
            give(moment, hand)
        elif kind == "end":
            hand.busy = False
            work(moment, hand)
            driver_free = max(moment, driver_free) + cluster.report
            at(driver_free, "handled", hand, sample)
        else:
            dispatch.done(hand, sample)
            end = moment
            hand.n_held -= 1
            hand.finishing &= hand.n_held > 0
            give(moment, hand)
        if kind in ("die", "handled"):
            for other in joined:
                if not other.n_held and not dispatch.finished:
                    give(moment, other)
    return Outcome(end, sum(services) / (sum(speeds) * end), n_lost)


def service_times(run: Path) -> list[float]:
    """Seconds that each sample of a run took: reading, encoding, model and robot."""
    return [_seconds(trace) for trace in store.read_traces(run)]


def _seconds(trace: Trace) -> float:
    return trace.load_seconds + trace.init_seconds + sum(trace.model_seconds) + sum(trace.robot_seconds)


def drawn(times: Sequence[float], n: int) -> list[float]:
    return random.Random(n).choices(times, k=n)


WAIT_SECONDS = 0.2


def nothing(x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
    """A model that finds nothing, at once: what is left is the driver's and the worker's own time."""
    return z["prev_output"]


def waiting(x: Any, z: Any, pcs: Any, ncs: Any) -> Any:
    """The same after a while without work, as of a GPU: workers do not compete for the cores of this machine."""
    time.sleep(WAIT_SECONDS)
    return z["prev_output"]


def measure() -> None:
    """Measure a worker's start, the driver's time for a sample, and how workers whose model waits add up."""
    import cv2
    import numpy as np
    import ray

    from iiszoo.engine.bench import bench
    from iiszoo.engine.bench_run import Listener
    from iiszoo.engine.executors.ray_cluster import OnRay

    class Clock(Listener):
        first = cpu = 0.0

        def ended_sample(self, run: Any, trace: Trace) -> None:
            if not self.first:
                self.first, self.cpu = time.perf_counter(), time.process_time()

    os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")])
    names = itertools.count()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)

        def photographs(n: int) -> str:
            for part in ("images", "masks"):
                (place / str(n) / part).mkdir(parents=True, exist_ok=True)
                for i in range(n):
                    cv2.imwrite(str(place / str(n) / part / f"{i}.png"), np.eye(32, dtype=np.uint8) * 255)
            return f"folder:{place / str(n)}"

        def timed(model: str, n: int, executor: OnRay) -> tuple[float, float, float]:
            """Seconds until the first sample; from then on, and the driver's CPU seconds."""
            clock, began = Clock(), time.perf_counter()
            out = place / f"out-{next(names)}"
            bench(f"scale:{model}", photographs(n), max_clicks=1, out=out, executor=executor, listener=clock)
            return clock.first - began, time.perf_counter() - clock.first, time.process_time() - clock.cpu

        with OnRay(1) as executor:
            start, wall, cpu = timed("nothing", 400, executor)
        print(f"Ray, one worker and its first sample: {start:.1f} s")
        print(f"a sample: {wall / 0.4:.2f} ms, of which the driver's CPU {cpu / 0.4:.2f} ms")
        ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
        for n_workers in (1, 2, 4, 8):
            with OnRay(n_workers) as executor:
                while sum(member.begun for member in executor.crew) < n_workers:
                    timed("waiting", 8 * n_workers, executor)
                first, rest, _ = timed("waiting", 40 * n_workers, executor)
            took = first + rest
            share = 40 * WAIT_SECONDS / took
            print(f"{n_workers} workers, {WAIT_SECONDS:g} s a sample: {took:.1f} s, {100 * share:.0f} %")
        ray.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate how a run scales with its workers.")
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--samples", type=int, nargs="+", default=[345, 6671], help="sizes of DAVIS and SBD")
    parser.add_argument("--workers", type=int, nargs="+", default=[2**k for k in range(9)])
    parser.add_argument("--start", type=float, default=9.0)
    parser.add_argument("--report", type=float, default=0.0009)
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    if options.measure:
        measure()
        return
    (default,) = (ROOT / "benchmarks/results/campaign/unet").glob("smp-unet-lite0*/scratch")
    times = service_times(options.run or default)
    print(
        f"SIMULATION. {len(times)} measured samples of {min(times):.2f} to {max(times):.2f} s, "
        f"{sum(times) / len(times):.2f} s on average; a worker begins after {options.start:g} s, the driver takes "
        f"{1e3 * options.report:g} ms a sample"
    )
    measured = {"start": options.start, "report": options.report}
    columns: dict[str, tuple[bool, dict[str, float]]] = {
        "even, no start": (False, {"start": 0.0}),
        "uneven, no start": (True, {"start": 0.0}),
        "uneven": (True, {}),
        "a tenth slow": (True, {"slow_share": 0.1}),
        "one lost in 10 min": (True, {"losses": 6.0}),
    }
    for n in options.samples:
        uneven = drawn(times, n)
        even = [sum(uneven) / n] * n
        print(f"\n{n:,} samples, {sum(uneven):,.0f} s of work; efficiency in %\n")
        print(f"| workers | seconds | {' | '.join(columns)} |")
        print("|---" * (len(columns) + 2) + "|")
        for n_workers in options.workers:
            found = {
                name: simulate(uneven if real else even, Cluster(n_workers, **{**measured, **more}))
                for name, (real, more) in columns.items()
            }
            cells = " | ".join(f"{100 * outcome.efficiency:.1f}" for outcome in found.values())
            print(f"| {n_workers} | {found['uneven'].seconds:,.0f} | {cells} |")


if __name__ == "__main__":
    main()
