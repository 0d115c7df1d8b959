"""Training as a LightningModule: with clicks (the step, the optimiser, its schedule and the weights' average), and
without.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from iiszoo.errors import BadOption, ModelError, one_line
from iiszoo.models.click_training import Answer, Encoding, Interactions, Samples, answer
from iiszoo.models.losses import Loss, focal


@dataclass(frozen=True)
class Optimisation:
    """How the weights are updated.

    Attributes:
        optimiser: the name of a class of torch.optim; `options`: its further keywords.
        lr, encoder_lr: learning rates; with `encoder_lr` 0, the encoder uses `lr`.
        weight_decay: as in the optimiser; 0 for biases and the weights of norm layers.
        warm_up: steps over which the learning rates rise from 0.
        schedule: "cosine" falls to `final` times the rate, "constant" does not fall, "step" falls to a tenth at 0.7
            and again at 0.9 of the run.
        ema: decay of the weights' average, which is validated and saved; lower at the start; 0 for no average.
    """

    optimiser: str = "AdamW"
    options: dict[str, Any] | None = None
    lr: float = 1e-3
    encoder_lr: float = 0.0
    weight_decay: float = 1e-2
    warm_up: int = 200
    schedule: str = "cosine"
    final: float = 0.01
    ema: float = 0.999

    def factor(self, step: int, progress: float) -> float:
        """The factor on the learning rates at a step; `progress` of the whole run is 0 to 1."""
        warm = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if self.schedule == "constant":
            return warm
        if self.schedule == "step":
            return warm * (1.0 if progress < 0.7 else 0.1 if progress < 0.9 else 0.01)
        return warm * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class Clock:
    """The progress of a run: by steps or by time, whichever is further."""

    def __init__(self, steps: int | None, minutes: float | None) -> None:
        self.steps, self.seconds = steps, None if minutes is None else 60 * minutes
        self.began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, including those before the run was resumed."""
        return time.monotonic() - self.began

    def resume(self, elapsed: float) -> None:
        """Continue from `elapsed` seconds."""
        self.began = time.monotonic() - elapsed

    def progress(self, step: int) -> float:
        by_steps = step / self.steps if self.steps else 0.0
        by_time = self.elapsed / self.seconds if self.seconds else 0.0
        return max(by_steps, by_time)


class ClickTraining(pl.LightningModule):
    """Trains `network(image, maps)` on batches of `iiszoo.data.training_samples`.

    All random numbers of a step are a function of (`seed`, step), so that a resumed run equals an uninterrupted one.
    `average` is the network with averaged weights, in eval mode.
    """

    def __init__(
        self,
        network: nn.Module,
        encoding: Encoding,
        loss: Loss,
        rules: Interactions,
        optimisation: Optimisation,
        clock: Clock,
        seed: int = 0,
        *,
        compiled: bool = False,
        log_every: int = 50,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.encoding, self.loss, self.rules = encoding, loss, rules
        self.optimisation, self.clock, self.seed = optimisation, clock, seed
        self.log_every = log_every
        self.latest: dict[str, float] = {}
        self._averaged: tuple[list[Tensor], list[Tensor]] | tuple[()] = ()
        self._forward: Callable[[Tensor, Tensor], Tensor] = torch.compile(network) if compiled else network

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device, non_blocking=True)

    def training_step(self, batch: Samples, batch_idx: int) -> Tensor:
        step = int(batch.number) // len(batch.image)  # type: ignore[attr-defined]
        # for dropout and other random layers
        torch.manual_seed((self.seed * 1_000_003 + step) % 2**63)
        n_further = self.rules.number(self.seed, step)
        try:
            found = answer(self._forward, batch, self.encoding, self.loss, self.rules, n_further, self.network)
        except torch.cuda.OutOfMemoryError as error:
            raise BadOption(
                f"the GPU's memory is full at step {step}: lower run.batch_size or view.size ({one_line(error)[:120]})"
            ) from error
        loss = found.loss.mean()
        if self.global_step % self.log_every == 0:
            self.latest = self._measured(found, n_further, step)
        return loss

    def _measured(self, found: Answer, n_further: int, step: int) -> dict[str, float]:
        """Loss and IoU of this step. This waits for the device, so it is not done in every step."""
        loss = float(found.loss.detach().mean())
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss is {loss} at step {step}: lower the learning rate, or use another precision; the last "
                "checkpoint has the last good weights"
            )
        predicted, wanted = found.logits.detach() > 0, found.target > 0.5
        both, either = ((op(predicted, wanted)).sum((1, 2, 3)) for op in (torch.logical_and, torch.logical_or))
        return {"loss": loss, "iou": float((both / either.clamp(min=1)).mean()), "interactions": n_further}

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Update the weights and their average, before any callback of this batch, which may save both."""
        super().optimizer_step(*arguments, **options)
        self.update_average()

    @torch.no_grad()
    def update_average(self) -> None:
        """Update the average. Buffers that are not floats, such as position tables, do not change."""
        if not self._averaged:
            mine, now = (module.state_dict() for module in (self.average, self.network))
            floats = [name for name, value in mine.items() if value.is_floating_point()]
            self._averaged = [mine[name] for name in floats], [now[name] for name in floats]
        decay = self.optimisation.ema
        weight = 1 - min(decay, (1 + self.global_step) / (10 + self.global_step)) if decay else 1.0
        torch._foreach_lerp_(*self._averaged, weight)

    def configure_optimizers(self) -> Any:
        rates = self.optimisation
        kind = getattr(torch.optim, rates.optimiser, None)
        if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)):
            raise BadOption(f"torch.optim has no optimiser {rates.optimiser!r}")
        make: Callable[..., torch.optim.Optimizer] = kind
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                encoder = "encoder." in name or name.startswith(("second.", "whole.backbone."))
                groups.setdefault((encoder, parameter.ndim > 1), []).append(parameter)
        listed = [
            {
                "params": parameters,
                "lr": (rates.encoder_lr or rates.lr) if encoder else rates.lr,
                "weight_decay": rates.weight_decay if decays else 0.0,
            }
            for (encoder, decays), parameters in groups.items()
        ]
        try:
            optimiser = make(listed, lr=rates.lr, **(rates.options or {}))
        except TypeError as error:
            raise BadOption(f"optimiser {rates.optimiser} does not accept these options: {error}") from error
        schedule = LambdaLR(optimiser, lambda step: rates.factor(step, self.clock.progress(step)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class SupervisedTraining(pl.LightningModule):
    """Trains `network(image)` (`iiszoo.models.supervised`) on batches (image uint8 (B, h, w, 3), target and valid bool
    (B, 1, h, w)), by torchvision's focal loss with its default parameters (alpha 0.25, gamma 2; the mean over valid
    pixels) and Adam.
    """

    def __init__(self, network: nn.Module, lr: float) -> None:
        super().__init__()
        self.network, self.lr = network, lr

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        image, target, valid = batch
        logits = self.network(image.permute(0, 3, 1, 2).float().div(255))
        loss = focal(logits, target.float(), valid).mean()
        if not torch.isfinite(loss):
            raise ModelError(
                f"the segmenter's loss is {float(loss)} at step {self.global_step}; its masks or weights are odd"
            )
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.network.parameters(), lr=self.lr)
