"""The training of the segmenter: focal loss, Adam, shuffled batches, an incomplete last batch dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from iiszoo.engine.campaign import segmenter_file
from iiszoo.engine.campaign.pictures import Picture, Pictures
from iiszoo.engine.campaign.segmenter_file import Trained
from iiszoo.engine.lightning_trainer import need_lightning, quiet_trainer
from iiszoo.errors import BadOption
from iiszoo.models.supervised import DEEPLAB, SegmenterDescription, build, described, identity_of


@dataclass(frozen=True)
class Recipe:
    """How a segmenter is trained. Raises `BadOption` for a value that cannot be used.

    Attributes:
        segmenter: the network's name (`iiszoo.models.supervised`).
        steps: the optimiser's steps of one training.
        batch: images in a step; with fewer images, all of them.
        lr: Adam's learning rate.
    """

    segmenter: str = DEEPLAB
    steps: int = 1000
    batch: int = 42
    lr: float = 1e-3

    def __post_init__(self) -> None:
        for name, value, least in (("steps", self.steps, 1), ("batch", self.batch, 2)):
            if value < least:
                raise BadOption(f"the segmenter's {name} must be at least {least}, not {value}")
        if not 0 < self.lr < 10:
            raise BadOption(f"the segmenter's learning rate must lie between 0 and 10, not {self.lr:g}")

    @property
    def description(self) -> SegmenterDescription:
        return described(self.segmenter)

    def identity(self) -> dict[str, Any]:
        """What determines a training, apart from its images and seed. Raises as `identity_of`."""
        return {**identity_of(self.description), "steps": self.steps, "batch": self.batch, "lr": self.lr}


def check(recipe: Recipe) -> str:
    """Build the segmenter once, so that a fault is told before anything is computed; returns its start, in words.

    Raises `BadOption` or `WeightsError`.
    """
    need_lightning()
    return build(recipe.description, 0).start


def train(
    recipe: Recipe,
    pictures: Sequence[Picture],
    seed: int,
    path: Path,
    facts: dict[str, Any],
    *,
    device: str = "cpu",
    going_on_from: Trained | None = None,
    measure: Callable[[nn.Module], dict[str, Any]] = lambda network: {},
) -> Trained:
    """Train on the pictures, save to `path`, and return what was saved.

    It starts from the recipe's weights, or from those of `going_on_from`. Same seed, pictures and machine, same network
    (on the CPU). `facts` are stored with it, and with them `n_images`, `seconds` and `start`, and what `measure` finds
    out about the trained network.

    Raises `BadOption` if there are fewer than two pictures: their statistics normalise the network's activations.
    """
    if len(pictures) < 2:
        raise BadOption(f"a segmenter is trained on at least 2 images with an object, not on {len(pictures)}")
    from iiszoo.models.lightning import SupervisedTraining

    began = time.perf_counter()
    if going_on_from is None:
        network, description, start = build(recipe.description, seed)
    else:
        network, description = going_on_from.network.requires_grad_(True), going_on_from.description
        start = f"the training on {going_on_from.facts['n_images']} images before"
    network = network.to(memory_format=torch.channels_last)  # faster on the CPU, too
    data = Pictures(pictures, description.size)
    loader = DataLoader(
        data,
        batch_size=min(recipe.batch, len(data)),
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(seed),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # for dropout
        _fit(SupervisedTraining(network.train(), recipe.lr), loader, recipe.steps, device)
    known = {**facts, "n_images": len(data), "seconds": time.perf_counter() - began, "start": start}
    known |= measure(network.to(device).eval())
    saved = segmenter_file.save(path, network, description, known)
    return _on(saved, device)


def load(path: Path, device: str = "cpu") -> Trained | None:
    """The segmenter saved at `path`, on a device; None if there is none. Raises `WeightsError` if it is damaged."""
    return _on(segmenter_file.load(path), device) if path.is_file() else None


def _on(trained: Trained, device: str) -> Trained:
    trained.network.to(device)
    return trained


def _fit(module: nn.Module, loader: Any, steps: int, device: str) -> None:
    trainer = quiet_trainer(device, max_steps=steps, max_epochs=-1)
    try:
        trainer.fit(module, loader)  # type: ignore[arg-type]
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from error
