"""A training step with clicks: further interactions without gradient, then one answer with gradient.

After RITM's iterative training (Sofiiuk et al., arXiv 2102.06583; `isegm/engine/trainer.py` at b9b4460): in each
further interaction the network, in eval mode, reads its previous answer, and the next click falls on an error of the
new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.clicking.encode import add_disks, disk
from iiszoo.clicking.next_click import next_clicks
from iiszoo.models.losses import Loss
from iiszoo.models.second_look import LookRule, training_looks
from iiszoo.models.zoom import Box, to_crop
from iiszoo.protocol import Robot, on_device

Points = list[tuple[float, float]]
Encoding = Callable[..., Tensor]


class Samples(Protocol):
    """A batch on the network's device. `image` uint8 (B, h, w, 3); `target`, `valid` bool (B, 1, h, w); `draws`
    float64 (B, n) in [0, 1), all random numbers of the step; for each element, its clicks (row, col).
    """

    image: Tensor
    target: Tensor
    valid: Tensor | None
    positives: list[list[tuple[int, int]]]
    negatives: list[list[tuple[int, int]]]
    draws: Tensor


@dataclass(frozen=True)
class Interactions:
    """How a sample is clicked on in training.

    Attributes:
        shares: the probabilities of 0, 1, 2, ... further interactions, drawn once per step for all elements.
        threshold: a pixel is object above it, for the next click.
        depth: the next click is uniform over pixels whose distance inside the error exceeds this share of the greatest.
        second_look: the share of elements that, after two or more further interactions, train on the second look at
            the last answer (`iiszoo.models.second_look`).
        every_loss: the weights of the losses after 0, 1, 2, ... further interactions; all are summed, each with
            gradient (CFR-ICL, arXiv 2303.05620; `use_iterloss` of TitorX/CFR-ICL-Interactive-Segmentation at dadb069).
            Empty: only the last answer has a loss.
        previous_mask: whether the network reads the previous probabilities.
        robot: who makes the next click instead, on the CPU; its chance is the sample's own. None: the rule of `depth`.
    """

    shares: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    threshold: float = 0.5
    depth: float = 0.5
    second_look: float = 0.0
    every_loss: tuple[float, ...] = ()
    previous_mask: bool = True
    robot: Robot | None = None

    def number(self, seed: int, step: int) -> int:
        """The number of further interactions in a step."""
        shares = np.array(self.shares, float)
        return int(np.random.default_rng([seed, step, 1]).choice(len(shares), p=shares / shares.sum()))


class Auxiliary(NamedTuple):
    """`network(image, maps)` returns logits and auxiliary logits (B, 1, any height, any width); these are resized to
    the image, bilinearly with aligned corners, before `loss`, which is added to that of each answer with gradient.
    """

    network: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    loss: Loss


class Answer(NamedTuple):
    """`loss` (B,) with gradient; `logits` and `target` (B, 1, h, w) of the last answer."""

    loss: Tensor
    logits: Tensor
    target: Tensor


def answer(
    network: nn.Module,
    batch: Samples,
    encoding: Encoding,
    loss: Loss,
    rules: Interactions,
    n_further: int,
    auxiliary: Auxiliary | None = None,
) -> Answer:
    """Play `n_further` interactions with a batch, and return the answer after them, with its loss.

    `network(image, maps) -> logits` is in eval mode meanwhile, and in training mode afterwards.
    """
    play = _Play(batch, encoding, rules)
    losses: list[Tensor] = []

    def learn() -> Tensor:
        """An answer with gradient; its loss is the next of `losses`."""
        coarse = None
        logits: Tensor
        if auxiliary is None:
            logits = network(play.image, play.maps())
        else:
            logits, coarse = auxiliary.network(play.image, play.maps())
        found = loss(logits, play.target, play.valid)
        if auxiliary is not None and coarse is not None:
            coarse = F.interpolate(coarse, play.size, mode="bilinear", align_corners=True)
            found = found + auxiliary.loss(coarse, play.target, play.valid)
        losses.append(found * rules.every_loss[len(losses)] if rules.every_loss else found)
        return logits

    for k in range(n_further):
        if rules.every_loss:
            logits = learn().detach()
        else:
            network.eval()
            with torch.no_grad():
                logits = network(play.image, play.maps())
        with torch.no_grad():
            play.further(logits, k, last=k == n_further - 1)
    if n_further and not rules.every_loss:
        # weights that autocast cast without gradient must not be reused by the pass with gradient
        torch.clear_autocast_cache()
    network.train()
    logits = learn()
    return Answer(torch.stack(losses).sum(0), logits, play.target)


class _Play:
    """A batch in play."""

    def __init__(self, batch: Samples, encoding: Encoding, rules: Interactions) -> None:
        self.encoding, self.rules, self.draws = encoding, rules, batch.draws
        # (B, h, w, 3) permuted to (B, 3, h, w) is already channels_last
        self.image = batch.image.permute(0, 3, 1, 2).float().div_(255)
        self.target = batch.target.float()
        self.valid = batch.valid
        self.size = (int(self.image.shape[-2]), int(self.image.shape[-1]))
        self.positives: list[Points] = [list(points) for points in batch.positives]
        self.negatives: list[Points] = [list(points) for points in batch.negatives]
        self.newest: list[tuple[int, int] | None] = [None] * len(self.image)
        self.unread: list[Tensor] = []
        self.before = self.previous = torch.zeros_like(self.target)
        self.clicks = self._encoded(self.positives, self.negatives)

    def maps(self) -> Tensor:
        """The maps that the network reads with the image."""
        if not self.rules.previous_mask:
            return self.clicks
        return torch.cat((self.previous, self.clicks), dim=1).contiguous(memory_format=torch.channels_last)

    def further(self, logits: Tensor, k: int, last: bool) -> None:
        """Take the network's answer; then look again in elements that train the second look, click in the others."""
        self.before, self.previous = self.previous, logits.float().sigmoid()
        looks: dict[int, Box] = {}
        if last and k >= 1 and self.rules.second_look > 0:
            looks = self._looks()
        ignore = None if self.valid is None else ~self.valid
        drawn = on_device(self.draws[:, k], self.image.device)
        if self.rules.robot is None:
            rules = self.rules
            found = next_clicks(self.previous, self.target, drawn, rules.threshold, rules.depth, ignore)
        else:
            found = self._of_robot(self.rules.robot, k, ignore)
        if looks:
            found[on_device(torch.tensor([*looks]), found.device), 0] = -1
        self.unread.append(found)
        radius = _disk_radius(self.encoding)
        if radius is not None:
            self.clicks = add_disks(self.clicks, found, radius)
        else:
            self.clicks = self._encoded(*self._read(), onto=self.clicks)
        if looks:
            self._look_again(looks)

    def _read(self) -> tuple[list[Points], list[Points]]:
        """Wait for the device, and take its unread clicks into the lists; returns them, positive and negative."""
        new: tuple[list[Points], list[Points]] = ([[] for _ in self.newest], [[] for _ in self.newest])
        made = torch.stack(self.unread).tolist() if self.unread else []
        self.unread = []
        for interaction in made:
            for b, (row, col, positive) in enumerate(interaction):
                self.newest[b] = (row, col) if row >= 0 else None
                if row >= 0:
                    new[0 if positive else 1][b].append((row, col))
        for kind, clicks in zip((self.positives, self.negatives), new, strict=True):
            for points, more in zip(kind, clicks, strict=True):
                points += more
        return new

    def _of_robot(self, robot: Robot, k: int, ignore: Tensor | None) -> Tensor:
        """Each element's click, as `next_clicks` gives it."""
        self._read()
        pcs, ncs = robot(
            self.previous.cpu(),
            self.target.cpu(),
            [[[(int(row), int(col)) for row, col in points] for points in self.positives]],
            [[[(int(row), int(col)) for row, col in points] for points in self.negatives]],
            ignore=None if ignore is None else ignore.cpu(),
            generators=[np.random.default_rng(int(value * 2**53)) for value in self.draws[:, k].double().tolist()],
            threshold=self.rules.threshold,
        )
        clicks = []
        for positives, negatives in zip(pcs[-1], ncs[-1], strict=True):
            made = [(*point, 1) for point in positives] + [(*point, 0) for point in negatives]
            clicks.append(made[0] if made else (-1, -1, 0))
        return on_device(torch.tensor(clicks), self.image.device)

    def _looks(self) -> dict[int, Box]:
        """The boxes, of random width, for elements that train the second look."""
        self._read()
        chance = self.draws[:, -3:].tolist()
        newest = [click if chance[b][0] < self.rules.second_look else None for b, click in enumerate(self.newest)]
        rules = [LookRule(expansion=1.5 + wide, least=60 + 60 * more) for _, wide, more in chance]
        return training_looks(self.before, self.previous, newest, rules, self.rules.threshold)

    def _look_again(self, looks: dict[int, Box]) -> None:
        """Replace elements by their crops. Their clicks have been read: in this interaction they made none."""
        which = list(looks)
        at = on_device(torch.tensor(which), self.image.device)
        grid = _grid(list(looks.values()), self.size, self.image.device)
        layers = [self.image[at], self.previous[at], self.target[at]]
        if self.valid is not None:
            layers.append(self.valid[at].float())
        seen = F.grid_sample(torch.cat(layers, 1), grid, mode="bilinear", padding_mode="border", align_corners=True)
        self.image = self.image.index_copy(0, at, seen[:, :3])
        self.previous = self.previous.index_copy(0, at, seen[:, 3:4])
        self.target = self.target.index_copy(0, at, (seen[:, 4:5] >= 0.5).float())
        if self.valid is not None:
            self.valid = self.valid.index_copy(0, at, seen[:, 5:6] >= 0.5)
        for kind in (self.positives, self.negatives):
            for b in which:
                kind[b] = to_crop(kind[b], looks[b], self.size)
        drawn = self._encoded([self.positives[b] for b in which], [self.negatives[b] for b in which])
        self.clicks = self.clicks.index_copy(0, at, drawn)

    def _encoded(self, positives: Sequence[Points], negatives: Sequence[Points], onto: Tensor | None = None) -> Tensor:
        return self.encoding([positives], [negatives], self.size, onto=onto, device=self.image.device)


def _disk_radius(encoding: Encoding) -> float | None:
    """The radius of an encoding that draws disks; None for others."""
    function, options = (encoding.func, encoding.keywords) if isinstance(encoding, partial) else (encoding, {})
    return float(options.get("radius", 5)) if function is disk else None


def _grid(boxes: Sequence[Box], size: tuple[int, int], device: torch.device) -> Tensor:
    """(n, h, w, 2) for `grid_sample` with aligned corners: each box resized as by `iiszoo.models.zoom.crop`."""
    lines = []
    for axis in (0, 1):
        centres = [(box[2 * axis], box[2 * axis + 1] - 1) for box in boxes]  # of the first and last pixel
        ends = on_device(torch.tensor(centres, dtype=torch.float32), device)
        steps = torch.linspace(0, 1, size[axis], device=device)
        at = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * steps
        lines.append(2 * at / (size[axis] - 1) - 1)
    rows = lines[0][:, :, None].expand(-1, -1, size[1])
    columns = lines[1][:, None, :].expand(-1, size[0], -1)
    return torch.stack((columns, rows), dim=-1)
