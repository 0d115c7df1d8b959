"""How the time of a click is spent; shared by the families' speed scripts."""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import iiszoo
from iiszoo.data import Target
from iiszoo.models.synthetic_weights import about, normal
from iiszoo.protocol import Model
from iiszoo.testing import load_synthetic

OWN = {"scale": about(1), "pos_embed": normal(0.02)}
"""How entries with the families' own names are drawn."""


class Stopwatch:
    """A function whose calls are timed by `clock`: `seconds` of those since the last `taken`, the number of all
    `calls`, and `size`, the shape of the first argument.
    """

    def __init__(self, function: Callable[..., Any], clock: Callable[[], float] = time.perf_counter) -> None:
        self.function, self.clock = function, clock
        self.seconds, self.calls, self.size = 0.0, 0, torch.Size()

    def __call__(self, *arguments: Any) -> Any:
        self.size = arguments[0].shape
        began = self.clock()
        answer = self.function(*arguments)
        self.seconds += self.clock() - began
        self.calls += 1
        return answer

    def taken(self) -> float:
        """`seconds`, which begin at 0 again."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def at_threshold(self, threshold: float) -> Stopwatch:
        return self  # the model's own threshold is used, and the watch must stay


class Watch:
    """The stopwatches of a model: `inside` time the networks alone, `outside` click maps and networks."""

    def __init__(self) -> None:
        self.inside: list[Stopwatch] = []
        self.outside: list[Stopwatch] = []

    def within(self, function: Callable[..., Any]) -> Stopwatch:
        self.inside.append(Stopwatch(function))
        return self.inside[-1]

    def around(self, function: Callable[..., Any]) -> Stopwatch:
        self.outside.append(Stopwatch(function))
        return self.outside[-1]


def main(
    description: str | None,
    default: str,
    empty: Callable[[str], nn.Module],
    attach: Callable[[Model, Watch], None],
    first_clicks: bool = False,
) -> None:
    """The command line of a family's script.

    `empty` builds the untrained network of a model id; `attach` puts stopwatches around a model's parts;
    `first_clicks`: see `measure`.
    """
    arguments, model = asked(description, default, empty, OWN)
    watch = Watch()
    attach(model, watch)
    measure(model, watch, arguments.sessions, arguments.clicks, arguments.size, first_clicks)


def asked(
    description: str | None,
    default: str,
    empty: Callable[[str], nn.Module],
    own: Mapping[str, Any],
    n_sessions: int = 6,
) -> tuple[argparse.Namespace, Model]:
    """The options of a script's command line, and the model that they name, on one thread.

    `empty`: see `main`; `own`: how entries with the family's own names are drawn.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--model", default=default, help="default: %(default)s")
    parser.add_argument("--clicks", type=int, default=6, help="of each session; default: %(default)s")
    parser.add_argument("--sessions", type=int, default=n_sessions, help="default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=[281, 400], help="images are cut to H W; default: 281 400")
    parser.add_argument("--checkpoint", type=Path, help="default: synthetic weights, which are as fast")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.checkpoint:
        return arguments, iiszoo.load_model(arguments.model, checkpoint=arguments.checkpoint)
    return arguments, load_synthetic(arguments.model, empty(arguments.model.partition("?")[0]), own=own)


def measure(
    model: Model, watch: Watch, n_sessions: int, n_clicks: int, size: Sequence[int], first_clicks: bool = False
) -> None:
    """Run sessions of the robot on the embedded dataset, its images cut to `size`.

    Prints medians over all clicks except each session's first; with `first_clicks` also over the first ones.
    """
    call = model.function = Stopwatch(model.function)
    clicks: dict[bool, list[tuple[torch.Size, float, float, float]]] = {True: [], False: []}
    for sample in iiszoo.load_dataset("demo")[:n_sessions]:
        cut = np.s_[-size[0] :, -size[1] :]  # the objects are in the lower part
        image, target = sample.read_image()[cut], Target(sample.read_target().object[cut], None)
        smaller = dataclasses.replace(sample, read_image=partial(same, image), read_target=partial(same, target))
        for k, _ in enumerate(iiszoo.run_session(model, "ritm", smaller, max_clicks=n_clicks, target_iou=math.inf)):
            network, encoded = (sum(each.taken() for each in part) for part in (watch.inside, watch.outside))
            clicks[k == 0].append((watch.inside[0].size, call.taken(), encoded - network, network))
    if first_clicks:
        report(f"{model.name}, first clicks", clicks[True])
    report(model.name, clicks[False])


def report(title: str, clicks: Sequence[tuple[torch.Size, float, float, float]]) -> None:
    """Print the medians of those clicks at which the network's input had the commonest size.

    A click is that size, and the seconds of the whole call, of click maps, and of the network.
    """
    sizes = [size for size, *_ in clicks]
    commonest = max(set(sizes), key=sizes.count)
    total, maps, within = 1e3 * np.array([times for size, *times in clicks if size == commonest]).T
    rest = total - maps - within
    print(f"{title}: {len(total)} clicks with an input of {' x '.join(map(str, commonest))}")
    for name, taken in (("per click", total), ("network", within), ("click maps", maps), ("crop, paste, rest", rest)):
        print(f"  {name:18} {np.median(taken):8.2f} ms  {100 * np.median(taken / total):6.2f} %")
    print(f"  outside the network: {100 * np.median((maps + rest) / within):.2f} % of its time")


def same(thing: Any) -> Any:
    return thing


def attach_click_model(model: Model, watch: Watch, clicked: Any = None) -> None:
    """For models of `iiszoo.models.click_model`; `clicked`: the `ClickModel`, if it is not the model's function."""
    clicked = clicked or model.function
    network = watch.within(clicked.network.network)
    clicked.network = watch.around(dataclasses.replace(clicked.network, network=network))
