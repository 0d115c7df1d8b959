"""Training as a LightningModule: with clicks (the step, the optimiser, its schedule and the weights' average), and
without.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from iiszoo.errors import BadOption, ModelError, one_line
from iiszoo.models.click_training import Answer, Auxiliary, Encoding, Interactions, Samples, answer
from iiszoo.models.losses import Loss, focal


@dataclass(frozen=True)
class Optimisation:
    """How the weights are updated.

    Attributes:
        optimiser: the name of a class of torch.optim; `options`: its further keywords.
        lr, encoder_lr: learning rates; with `encoder_lr` 0, the encoder uses `lr`.
        factors: on the learning rate of the parameters whose names begin with a prefix of whole parts; the longest
            prefix that fits counts.
        weight_decay: as in the optimiser; 0 for biases and the weights of norm layers.
        warm_up: steps over which the learning rates rise from 0.
        schedule: "cosine" falls to `final` times the rate, "constant" does not fall, "step" falls to a tenth after
            each share of the run in `drops`.
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
    factors: Mapping[str, float] = field(default_factory=dict)
    drops: tuple[float, ...] = (0.7, 0.9)

    def factor(self, step: int, progress: float) -> float:
        """The factor on the learning rates at a step; `progress` of the whole run is 0 to 1."""
        warm = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if self.schedule == "constant":
            return warm
        if self.schedule == "step":
            return float(warm * 0.1 ** sum(progress >= drop for drop in self.drops))
        return warm * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def of(self, name: str) -> float:
        """The learning rate of a parameter of the network, before any schedule."""
        encoder = "encoder." in name or name.startswith(("second.", "whole.backbone."))
        fitting = [prefix for prefix in self.factors if f"{name}.".startswith(f"{prefix}.")]
        factor = self.factors[max(fitting, key=len)] if fitting else 1.0
        return ((self.encoder_lr or self.lr) if encoder else self.lr) * factor

    def check_prefixes(self, names: Iterable[str]) -> None:
        """Raise `BadOption` if a prefix of `factors` fits none of the names."""
        dotted = [f"{name}." for name in names]
        for prefix in self.factors:
            if not any(name.startswith(f"{prefix}.") for name in dotted):
                firsts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in dotted))
                raise BadOption(
                    f"optimiser.factors: no parameter's name begins with {prefix!r}; the network's parts: {firsts}"
                )


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
    """Trains `network(image, maps)` on batches of `iiszoo.data.training.batch`.

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
        auxiliary: Loss | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.encoding, self.loss, self.rules = encoding, loss, rules
        self.optimisation, self.clock, self.seed = optimisation, clock, seed
        self.log_every = log_every
        self.latest: dict[str, float] = {}
        self._averaged: tuple[list[Tensor], list[Tensor]] | tuple[()] = ()
        self._copied: tuple[list[Tensor], list[Tensor]] = ([], [])
        if compiled:
            network.compile()  # in place: what `torch.compile` returns would be a second module in every checkpoint
        self._auxiliary = None if auxiliary is None else Auxiliary(_with_aux(network, compiled), auxiliary)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device, non_blocking=True)

    def training_step(self, batch: Samples, batch_idx: int) -> Tensor:
        """The mean loss of a step. Raises `BadOption` if a GPU's memory is full, and `ModelError` if the loss is not
        finite, which is looked at once in `log_every` steps.
        """
        step = int(batch.number) // len(batch.image)  # type: ignore[attr-defined]
        # for dropout and other random layers
        torch.manual_seed((self.seed * 1_000_003 + step) % 2**63)
        n_further = self.rules.number(self.seed, step)
        try:
            found = answer(self.network, batch, self.encoding, self.loss, self.rules, n_further, self._auxiliary)
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
        """Update the average. Of buffers that are not floats, such as counters of batches, it has the network's."""
        if not self._averaged:
            mine, now = (module.state_dict() for module in (self.average, self.network))
            floats = [name for name, value in mine.items() if value.is_floating_point()]
            others = [name for name in mine if name not in floats]
            self._averaged = [mine[name] for name in floats], [now[name] for name in floats]
            self._copied = [mine[name] for name in others], [now[name] for name in others]
        decay = self.optimisation.ema
        weight = 1 - min(decay, (1 + self.global_step) / (10 + self.global_step)) if decay else 1.0
        torch._foreach_lerp_(*self._averaged, weight)
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm; Lightning's own refuses fused optimisers in every mixed precision, though bfloat16 has no
        scaler.
        """
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule. Raises `BadOption` for an optimiser or options that torch does not have."""
        rates = self.optimisation
        kind = getattr(torch.optim, rates.optimiser, None)
        if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)):
            raise BadOption(f"torch.optim has no optimiser {rates.optimiser!r}")
        make: Callable[..., torch.optim.Optimizer] = kind
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((rates.of(name), parameter.ndim > 1), []).append(parameter)
        rates.check_prefixes(name for name, _ in self.network.named_parameters())
        listed = [
            {"params": parameters, "lr": lr, "weight_decay": rates.weight_decay if decays else 0.0}
            for (lr, decays), parameters in groups.items()
        ]
        options = rates.options or {}
        # one kernel for all parameters; with a scaler of gradients Lightning could not clip them
        if (
            self.device.type == "cuda"
            and self.trainer.precision != "16-mixed"
            and "fused" in signature(make).parameters
        ):
            options = {"fused": True, **options}
        try:
            optimiser = make(listed, lr=rates.lr, **options)
        except TypeError as error:
            raise BadOption(f"optimiser {rates.optimiser} does not accept these options: {error}") from error
        schedule = LambdaLR(optimiser, lambda step: rates.factor(step, self.clock.progress(step)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _with_aux(network: nn.Module, compiled: bool) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The network's method `forward_with_aux`. Raises `BadOption` if it has none."""
    function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = getattr(network, "forward_with_aux", None)
    if function is None:
        raise BadOption(
            f"auxiliary_loss: {type(network).__name__} has no auxiliary output (forward_with_aux); leave "
            "[[auxiliary_loss]] out"
        )
    return torch.compile(function) if compiled else function


_CHECKED = 20
"""Steps from one look at the loss to the next, which waits for a GPU."""


class SupervisedTraining(pl.LightningModule):
    """Trains `network(image)` (`iiszoo.models.supervised`) on batches (image uint8 (B, h, w, 3), target and valid bool
    (B, 1, h, w)), by torchvision's focal loss with its default parameters (alpha 0.25, gamma 2; the mean over valid
    pixels) and Adam.
    """

    def __init__(self, network: nn.Module, lr: float) -> None:
        super().__init__()
        self.network, self.lr = network, lr

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """The mean loss of a step. Raises `ModelError` if it is not finite, looked at once in `_CHECKED` steps."""
        image, target, valid = batch
        logits = self.network(image.permute(0, 3, 1, 2).float().div(255))
        loss = focal(logits, target.float(), valid).mean()
        self._latest = loss.detach()
        if self.global_step % _CHECKED == 0:
            self._check()
        return loss

    def on_train_end(self) -> None:
        self._check()

    def _check(self) -> None:
        """Raise `ModelError` if the last loss is not finite; after such a one none is."""
        loss = float(self._latest)
        if not math.isfinite(loss):
            raise ModelError(f"the segmenter's loss is {loss} at step {self.global_step}; its masks or weights are odd")

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.network.parameters(), lr=self.lr)
