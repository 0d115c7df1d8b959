"""The robot under check, and the predictions that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo.cards import RobotCard
from iiszoo.clicking.loading import load_robot
from iiszoo.plugins import Kind
from iiszoo.protocol import Click, Clicks, Robot
from iiszoo.registry import resolve_robot
from iiszoo.testing.check import Broken, Outcome
from iiszoo.testing.values import fresh


@dataclass(frozen=True)
class Question:
    """What a robot is asked: `outputs` float32, `targets` bool, `ignore` bool or None, each (B, 1, H, W), and earlier
    clicks.
    """

    outputs: Tensor
    targets: Tensor
    ignore: Tensor | None = None
    pcs: Clicks = field(default_factory=list)
    ncs: Clicks = field(default_factory=list)

    def element(self, b: int) -> Question:
        """The question of one element alone."""
        one = slice(b, b + 1)
        return Question(
            self.outputs[one],
            self.targets[one],
            None if self.ignore is None else self.ignore[one],
            [interaction[one] for interaction in self.pcs],
            [interaction[one] for interaction in self.ncs],
        )


def errors() -> Question:
    """Three elements of 40 x 56: a disk that is missed, one whose prediction is too large, one whose prediction is
    displaced.
    """
    targets = torch.stack([disk(20, 28, 12), disk(20, 18, 8), disk(22, 30, 11)])[:, None]
    predicted = torch.stack([disk(0, 0, 0), disk(20, 22, 15), disk(18, 36, 11)])[:, None]
    return Question(torch.where(predicted, 0.8, 0.2), targets)


def disk(row: int, col: int, radius: int, size: tuple[int, int] = (40, 56)) -> Tensor:
    """Bool `size`; of radius 0 it is empty."""
    rows, cols = torch.arange(size[0])[:, None], torch.arange(size[1])[None]
    return (rows - row) ** 2 + (cols - col) ** 2 < radius**2


@dataclass(eq=False)
class RobotSubject:
    """One robot under check: a name, or a callable, which has no card.

    `timeout`: seconds for a turn in another process, its start included.
    """

    what: str | Robot
    timeout: float = 120.0
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return "robot"

    @property
    def name(self) -> str:
        return (
            self.what if isinstance(self.what, str) else str(getattr(self.what, "__name__", type(self.what).__name__))
        )

    @property
    def card(self) -> RobotCard | None:
        return resolve_robot(self.what)[0] if isinstance(self.what, str) else None

    @property
    def meaningful(self) -> bool:
        return True

    @cached_property
    def robot(self) -> Robot:
        """The robot, loaded once."""
        return load_robot(self.what) if isinstance(self.what, str) else self.what

    def answer(self, question: Question, seed: int = 0, **keywords: Any) -> tuple[Clicks, Clicks]:
        """The robot's click lists, whatever they are, for copies of a question; one generator per element."""
        return self.robot(
            fresh(question.outputs),
            fresh(question.targets),
            fresh(question.pcs),
            fresh(question.ncs),
            ignore=fresh(question.ignore),
            generators=[np.random.default_rng(seed + b) for b in range(len(question.outputs))],
            samples=[f"sample {b}" for b in range(len(question.outputs))],
            **keywords,
        )

    def clicks(self, question: Question, seed: int = 0, **keywords: Any) -> tuple[list[list[Click]], list[list[Click]]]:
        """The positive and the negative clicks that it makes, a list per element. Raises `Broken` if it returns no
        click lists of one more interaction.
        """
        pcs, ncs = _lists(self.answer(question, seed, **keywords))
        for name, clicks in (("pcs", pcs), ("ncs", ncs)):
            if not isinstance(clicks, list) or len(clicks) != len(question.pcs) + 1:
                raise Broken(f"{name} has {len(clicks)} interactions after {len(question.pcs)}")
            if len(clicks[-1]) != len(question.outputs):
                raise Broken(f"the new interaction of {name} has {len(clicks[-1])} elements of {len(question.outputs)}")
        return pcs[-1], ncs[-1]

    def turns(self, n: int) -> list[tuple[Clicks, Clicks]]:
        """The click lists after each of `n` turns on `errors`, whose outputs never change."""
        question, lists = errors(), []
        for turn in range(n):
            pcs, ncs = _lists(self.answer(question, 10 * turn))
            lists.append((pcs, ncs))
            question = replace(question, pcs=pcs, ncs=ncs)
        return lists

    def release(self) -> None:
        """Forget the robot; the outcomes of the checks are kept."""
        self.__dict__.pop("robot", None)


def turns_anew(what: str | Robot, n: int) -> list[tuple[Clicks, Clicks]]:
    """The turns of the robot loaded here: for another process."""
    return RobotSubject(what).turns(n)


def _lists(answer: Any) -> tuple[Clicks, Clicks]:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise Broken(f"it returns something of type {type(answer).__name__}")
    return answer
