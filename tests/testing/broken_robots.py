"""A sound robot, which clicks a random wrong pixel, and one for each check that breaks just what the check is there
for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from iiszoo.protocol import Clicks


@dataclass
class Random:
    """Clicks a random wrong pixel that was not clicked before. Subclasses break one step."""

    __name__ = "random wrong pixel"

    def __call__(
        self,
        outputs: Any,
        targets: Any,
        pcs: Clicks,
        ncs: Clicks,
        n_points: int = 1,
        *,
        ignore: Any = None,
        generators: Any = None,
        threshold: float = 0.5,
        samples: Any = None,
    ) -> Any:
        new: tuple[list[Any], list[Any]] = ([], [])
        for b in range(len(outputs)):
            rng = self.generator(generators, b)
            target = targets[b, 0] != 0
            wrong = self.wrong(self.object(outputs[b, 0], threshold), target)
            if ignore is not None:
                wrong = self.without(wrong, ignore[b, 0])
            pixels = self.pixels(wrong)[:, :2].tolist()
            earlier = [click for p, n in zip(pcs, ncs, strict=True) for click in (*p[b], *n[b])]
            clicks = self.draw(pixels, self.count(n_points), rng, earlier)
            new[0].append([click for click in clicks if self.positive(target, click)])
            new[1].append([click for click in clicks if not self.positive(target, click)])
        self.after(targets, pcs)
        return self.lists(pcs, ncs, new)

    def generator(self, generators: Any, b: int) -> Any:
        return generators[b] or np.random.default_rng(b)

    def object(self, output: Any, threshold: float) -> Any:
        return output > threshold

    def wrong(self, prediction: Any, target: Any) -> Any:
        return prediction != target

    def without(self, wrong: Any, ignore: Any) -> Any:
        return wrong & ~ignore

    def pixels(self, wrong: Any) -> Any:
        return torch.nonzero(wrong)

    def count(self, n_points: int) -> int:
        return n_points

    def draw(self, pixels: list[Any], n: int, rng: Any, earlier: list[Any]) -> list[Any]:
        return [tuple(pixels[rng.integers(len(pixels))]) for _ in range(n)] if pixels else []

    def positive(self, target: Any, click: Any) -> bool:
        return bool(target[click])

    def after(self, targets: Any, pcs: Clicks) -> None:
        pass

    def lists(self, pcs: Clicks, ncs: Clicks, new: Any) -> Any:
        return [*pcs, new[0]], [*ncs, new[1]]


class OnlyTheNew(Random):
    def lists(self, pcs: Clicks, ncs: Clicks, new: Any) -> Any:
        return [new[0]], [new[1]]


class OnlyTheMissed(Random):
    def wrong(self, prediction: Any, target: Any) -> Any:
        return ~prediction & target


class NeverSilent(Random):
    def pixels(self, wrong: Any) -> Any:
        found = super().pixels(wrong)
        return found if len(found) else torch.tensor([[wrong.shape[0] - 1, wrong.shape[1] - 1]])

    def without(self, wrong: Any, ignore: Any) -> Any:
        return super().without(wrong, ignore)


class Inverted(Random):
    def positive(self, target: Any, click: Any) -> bool:
        return not target[click]


class Ignores(Random):
    def without(self, wrong: Any, ignore: Any) -> Any:
        return wrong


class AtHalf(Random):
    def object(self, output: Any, threshold: float) -> Any:
        return output > 0.5


class OnePoint(Random):
    def count(self, n_points: int) -> int:
        return 2 * n_points - 1


class Writes(Random):
    def after(self, targets: Any, pcs: Clicks) -> None:
        targets[:] = 0


class OneByte(Random):
    def __call__(self, outputs: Any, targets: Any, *arguments: Any, **keywords: Any) -> Any:
        if targets.dtype == torch.float32:
            targets = targets - 1
        return super().__call__(outputs, targets, *arguments, **keywords)


class NeedsRoom(Random):
    def pixels(self, wrong: Any) -> Any:
        inner = wrong.clone()
        inner[:, 0] = inner[0] = False
        return super().pixels(inner if wrong.numel() < 40 and min(wrong.shape) < 4 else wrong)


class EndsWhenAllIsClicked(Random):
    def draw(self, pixels: list[Any], n: int, rng: Any, earlier: list[Any]) -> list[Any]:
        left = [pixel for pixel in pixels if tuple(pixel) not in earlier]
        if pixels and not left:
            raise IndexError("no pixel is left")
        return super().draw(left, n, rng, earlier)


class OneGlobalGenerator(Random):
    rng = np.random.default_rng()

    def generator(self, generators: Any, b: int) -> Any:
        return self.rng


class OneForTheBatch(Random):
    def generator(self, generators: Any, b: int) -> Any:
        return super().generator(generators, 0)


class OfThisProcess(Random):
    def generator(self, generators: Any, b: int) -> Any:
        draws = super().generator(generators, b).integers(1000)
        return np.random.default_rng(os.getpid() * 1000 + int(draws))


FAMILY: dict[str, Random] = {
    "click_lists": OnlyTheNew(),
    "answers_errors": OnlyTheMissed(),
    "silent_when_right": NeverSilent(),
    "polarity": Inverted(),
    "ignored_pixels": Ignores(),
    "threshold": AtHalf(),
    "several_points": OnePoint(),
    "inputs_unchanged": Writes(),
    "target_types": OneByte(),
    "image_sizes": NeedsRoom(),
    "many_turns": EndsWhenAllIsClicked(),
    "repeatable": OneGlobalGenerator(),
    "batch_equals_single": OneForTheBatch(),
    "spawned_process": OfThisProcess(),
}
random = Random()
