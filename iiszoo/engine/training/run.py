"""`iiszoo train`: turns a configuration into a run directory with checkpoints, a log and networks to benchmark.

| file of a run directory  | contents                                                                                  |
|--------------------------|-------------------------------------------------------------------------------------------|
| `config.json`            | the configuration, with all defaults filled in                                            |
| `run.json`               | provenance: versions, device, arguments, times, the validations                           |
| `log.csv`                | loss, IoU, learning rate, samples per second, and the validations, by step                |
| `tensorboard/`           | the same for TensorBoard, if it is installed                                              |
| `last.ckpt`              | Lightning's checkpoint, from which a run is resumed                                       |
| `last.safetensors`       | the averaged weights at that checkpoint, in half precision (a model's own network: as it  |
|                          | is, so that its family reads the file by `--checkpoint`)                                  |
| `best.safetensors`       | those at the validation with the lowest NoC@90 (then NoC@85, then the highest IoU@5)      |
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from iiszoo import files
from iiszoo.clicking.loading import load_robot
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.lightning_trainer import need_lightning, quiet_trainer
from iiszoo.engine.runs import provenance
from iiszoo.engine.training import data, start
from iiszoo.engine.training.config import TrainConfig, Weighted, choose
from iiszoo.engine.training.directory import RUN, prepare, steps_of
from iiszoo.engine.training.log import Log
from iiszoo.engine.training.networks import describe, new_network
from iiszoo.engine.training.validation import validate
from iiszoo.errors import BadOption
from iiszoo.models import network_file
from iiszoo.models.click_training import Interactions
from iiszoo.models.losses import LOSSES, Loss, weighted_sum

Say = Callable[[str], None]


def train(config: TrainConfig, out: Path, *, resume: bool = False, say: Say = print) -> dict[str, Any]:
    """Train, and return the contents of `run.json`. `say` receives progress, one line per call.

    After SIGINT or SIGTERM, the current step finishes, a checkpoint is saved and `KeyboardInterrupt` is raised; a
    second signal raises it at once.

    Raises `RunError` if `out` contains another run, or this one and `resume` is false; `BadOption` and `DatasetError`
    if the configuration names something that does not exist; `ModelError` if the loss is not finite.
    """
    return Run(config, out, say).go(resume)


class Run:
    """A training run, from its configuration to its end. Raises as `train`."""

    def __init__(self, config: TrainConfig, out: Path, say: Say) -> None:
        self.start = start.find(config.start) if config.start else None
        if self.start is not None:
            config = dataclasses.replace(config, network=start.network_table(self.start, config.network))
        self.config, self.out, self.say = config, out, say
        if not config.run.steps and not config.run.minutes:
            raise BadOption("the length of the run is missing; give run.steps or run.minutes (--steps, --minutes)")
        self.device = _device(config.run.device)
        self.description, self.sighting = describe(config)
        self.loss = _summed(config.loss)
        self.auxiliary = _summed(config.auxiliary_loss) if config.auxiliary_loss else None
        self.rules = Interactions(
            shares=config.clicks.further,
            threshold=config.clicks.threshold,
            depth=config.clicks.depth,
            second_look=config.clicks.second_look,
            every_loss=config.clicks.every_loss,
            previous_mask=config.network.previous_mask,
            robot=load_robot(config.clicks.robot) if config.clicks.robot else None,
        )
        self.validations: list[dict[str, Any]] = []
        self.began = time.time()
        self.stopped = False
        self.is_first = int(os.environ.get("LOCAL_RANK", 0)) == 0

    def go(self, resume: bool) -> dict[str, Any]:
        need_lightning()
        from iiszoo.models.lightning import ClickTraining, Clock, Optimisation

        checkpoint = prepare(self.out, self.config, resume, self.say)
        config = self.config
        train, held = data.sources(config)
        self.validation_set = data.validation_set(config, held)
        n_images = sum(len(source.images) for source in train)
        n_held = 0 if self.validation_set is None else len(self.validation_set)
        self.say(f"{n_images} training images, {n_held} validation sessions; {config.network.architecture}")
        network = new_network(config)
        if self.start is not None and checkpoint is None:
            self.start.put_into(network)
            self.say(f"starts from {self.start.source}")
        if config.run.channels_last:
            network = network.to(memory_format=torch.channels_last)
        table = config.optimiser
        optimisation = Optimisation(
            table.name, table.options, table.lr, table.encoder_lr, table.weight_decay,
            table.warm_up, table.schedule, table.final, table.ema, table.factors, table.drops,
        )  # fmt: skip
        clock = Clock(config.run.steps or None, config.run.minutes or None)
        module = ClickTraining(
            network, self.description.encode(), self.loss, self.rules, optimisation, clock, config.run.seed,
            compiled=config.run.compile, log_every=config.run.log_every, auxiliary=self.auxiliary,
        )  # fmt: skip
        samples = data.samples(config, train)
        steps = 0 if checkpoint is None else steps_of(checkpoint)
        self.log = Log(self.out, steps, board=self.is_first)
        batches = data.loader(config, samples, steps * config.run.accumulate)
        self._fit(module, batches, checkpoint, clock)
        facts = self._finish("stopped" if self.stopped else "finished")
        if self.stopped:
            raise KeyboardInterrupt
        return facts

    def _fit(self, module: Any, batches: Any, checkpoint: Path | None, clock: Any) -> None:
        from iiszoo.engine.training.watch import Watch

        run = self.config.run
        trainer = quiet_trainer(
            self.device,
            devices=run.devices,
            strategy=run.strategy,
            precision=self._precision(),
            max_steps=run.steps or -1,
            max_epochs=-1,
            gradient_clip_val=self.config.optimiser.clip or None,
            accumulate_grad_batches=run.accumulate,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            benchmark=self.device.startswith("cuda"),
            callbacks=[Watch(self, clock)],
        )
        trainer.fit(module, batches, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)

    def _precision(self) -> str:
        if self.config.run.precision != "auto":
            return self.config.run.precision
        return "bf16-mixed" if self.device.startswith("cuda") and torch.cuda.is_bf16_supported() else "32-true"

    def validated(self, network: nn.Module, step: int) -> dict[str, Any] | None:
        """Validate, and save the network if it is the best so far."""
        if self.validation_set is None:
            return None
        table = self.config.validation
        rules = ResolvedProtocol(
            "validation", robot=table.robot, max_clicks=table.max_clicks, threshold=self.sighting.threshold
        )
        began = time.monotonic()
        self.say(f"step {step}: validating on {min(table.limit, len(self.validation_set))} sessions")
        model = network_file.click_model(network, self.description, self.sighting)
        found = validate(model, self.validation_set, rules, self.device, table.batch_size, table.limit)
        self.say(
            f"step {step}: NoC@85/90 {found['noc85']:.2f}/{found['noc90']:.2f}, never {found['nof90']}, IoU@1/5 "
            f"{found['iou1']:.3f}/{found['iou5']:.3f} ({time.monotonic() - began:.0f} s)"
        )
        best = min(self.validations, key=_rank, default=None)
        entry = {"step": step, **found}
        self.validations.append(entry)
        if best is None or _rank(entry) < _rank(best):
            self.save_network("best", network, step, found)
        return found

    def save_network(self, name: str, network: nn.Module, step: int, found: dict[str, Any] | None) -> None:
        facts = {
            "training": {
                "step": step,
                "batch_size": self.config.run.batch_size * self.config.run.accumulate,
                "datasets": [table.dataset for table in self.config.data],
                "validation": found,
            }
        }
        # a family's own loader reads it too, by `--checkpoint`: with all entries of its official files, unrounded
        whole = self.description.library == "iiszoo"
        network_file.save(
            self.out / f"{name}.safetensors", network, self.description, self.sighting, facts, whole=whole
        )

    def _finish(self, state: str) -> dict[str, Any]:
        self.log.close()
        facts = {
            "state": state,
            "seconds": time.time() - self.began,
            "validations": self.validations,
            "environment": provenance.environment(self.device, torch.get_num_threads()),
        }
        files.replace_text(self.out / RUN, json.dumps(facts, indent=1))
        return facts


def _summed(terms: Sequence[Weighted]) -> Loss:
    for term in terms:
        choose(LOSSES, term.name, "loss")
    return weighted_sum([(term.weight, term.name, term.options) for term in terms])


def _device(wanted: str) -> str:
    if wanted != "auto":
        if wanted.startswith("cuda") and not torch.cuda.is_available():
            raise BadOption(f"device {wanted}: torch finds no CUDA device; give --device cpu")
        return wanted
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _rank(entry: dict[str, Any]) -> tuple[float, float, float]:
    return entry["noc90"], entry["noc85"], -entry["iou5"]
