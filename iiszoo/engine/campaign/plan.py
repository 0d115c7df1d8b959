"""The plan of a campaign: its arms, the order of its images, and when the segmenter is trained."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from iiszoo.engine.campaign.training import Recipe
from iiszoo.errors import BadOption

SCHEDULE = "10,20,40,80,..."
SCRATCH, CONTINUAL, CROSS_FITTED, GIVEN = "scratch", "continual", "cross-fitted", "given"
"""The arms whose sessions are run; the others are derived from them (`iiszoo.engine.campaign.outcome`)."""


@dataclass(frozen=True)
class Plan:
    """What a campaign does. Raises `BadOption` for a value that cannot be used.

    Attributes:
        recipe: how the segmenter is trained, each time.
        schedule: the numbers of images after which it is trained: `10,20,40`; `...` at the end doubles the last.
        lag: images that are annotated while it trains: it proposes from image `n + lag + 1` on. The person waits for
            what is left of the training then; with 0, for all of it.
        fine_tune: each training starts from the one before, not from the recipe's weights.
        seeds: the number of orders in which the images are annotated; seed k decides order k and the trainings in it.
        folds: of the cross-fitted segmenter; 0 leaves that arm out.
        initial: masks of another origin to correct, as `iiszoo bench --initial` takes them; None: no such arm.
        probabilities: proposals enter as probabilities; else as masks, above 0.5.
    """

    recipe: Recipe = field(default_factory=Recipe)
    schedule: str = SCHEDULE
    lag: int = 0
    fine_tune: bool = False
    seeds: int = 3
    folds: int = 5
    initial: str | None = None
    probabilities: bool = False

    def __post_init__(self) -> None:
        trainings(self.schedule, 0)
        if self.seeds < 1:
            raise BadOption(f"the number of seeds must be at least 1, not {self.seeds}")
        if self.folds == 1 or self.folds < 0:
            raise BadOption(
                f"the number of folds must be 0 (no cross-fitted segmenter) or at least 2, not {self.folds}"
            )
        if self.lag < 0:
            raise BadOption(f"the lag must be at least 0 images, not {self.lag}")

    def identity(self) -> dict[str, Any]:
        """What every session of the campaign depends on; more seeds and models may be added."""
        return {
            "segmenter": self.recipe.identity(),
            "schedule": self.schedule,
            "lag": self.lag,
            "fine_tune": self.fine_tune,
            "folds": self.folds,
            "given": self.initial,
            "probabilities": self.probabilities,
        }

    def arms(self) -> list[tuple[str, int]]:
        """(arm, seed) of every run, in the order in which they are run; 0 where the order does not matter."""
        single = [SCRATCH, *([GIVEN] if self.initial else []), *([CROSS_FITTED] if self.folds else [])]
        return [(arm, 0) for arm in single] + [(CONTINUAL, seed) for seed in range(self.seeds)]


@dataclass(frozen=True)
class Stretch:
    """Images `begin` to `end` (exclusive) of the order, for which one segmenter proposes: the one trained on the first
    `n_images`; with 0 there is none yet.
    """

    begin: int
    end: int
    n_images: int


def trainings(schedule: str, n: int) -> list[int]:
    """The numbers of images, below `n`, after which the segmenter is trained. Raises `BadOption`."""
    if not re.fullmatch(r"\d+(,\d+)*(,\.\.\.)?", schedule.replace(" ", "")):
        raise BadOption(f"schedule {schedule!r:.80} is not a list of numbers of images, such as {SCHEDULE}")
    parts = schedule.replace(" ", "").split(",")
    points = [int(part) for part in parts if part != "..."]
    if points[0] < 2 or any(after <= before for before, after in pairwise(points)):
        raise BadOption(f"schedule {schedule!r:.80} must rise, from at least 2 images")
    while parts[-1] == "..." and 2 * points[-1] < n:
        points.append(2 * points[-1])
    return [point for point in points if point < n]


def stretches(schedule: str, lag: int, n: int) -> list[Stretch]:
    """The campaign's `n` images, divided by the segmenter that proposes for them."""
    known = [(0, 0), *((point + lag, point) for point in trainings(schedule, n) if point + lag < n)]
    ends = [begin for begin, _ in known[1:]] + [n]
    return [Stretch(begin, end, n_images) for (begin, n_images), end in zip(known, ends, strict=True)]


def order(n: int, seed: int) -> list[int]:
    """The order of the `n` images with a seed: their places in the dataset."""
    return [int(i) for i in np.random.default_rng([seed, n]).permutation(n)]


def folds(n: int, k: int) -> list[int]:
    """The fold, 0 to k - 1, of each of `n` images."""
    shuffled = np.random.default_rng([k, n, 1]).permutation(n)
    found = np.empty(n, int)
    found[shuffled] = np.arange(n) % k
    return found.tolist()
