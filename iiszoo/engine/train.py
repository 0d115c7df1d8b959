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

import csv
import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from iiszoo import files
from iiszoo.clicking.loading import load_robot
from iiszoo.engine import train_data, train_start
from iiszoo.engine.evaluation_protocol import ResolvedProtocol
from iiszoo.engine.lightning_trainer import need_lightning, quiet_trainer
from iiszoo.engine.runs import provenance
from iiszoo.engine.train_config import TrainConfig, Weighted, as_data, choose
from iiszoo.engine.validation import validate
from iiszoo.errors import BadOption, RunError
from iiszoo.models import network_file
from iiszoo.models.click_training import Interactions
from iiszoo.models.losses import LOSSES, Loss, weighted_sum
from iiszoo.models.wrappers import mmseg_weights, smp
from iiszoo.models.wrappers.description import NetworkDescription, Sighting, build, completed

Say = Callable[[str], None]


def train(config: TrainConfig, out: Path, *, resume: bool = False, say: Say = print) -> dict[str, Any]:
    """Train, and return the contents of `run.json`. `say` receives progress, one line per call.

    After SIGINT or SIGTERM, the current step finishes, a checkpoint is saved and `KeyboardInterrupt` is raised; a
    second signal raises it at once.

    Raises `RunError` if `out` contains another run, or this one and `resume` is false; `BadOption` and `DatasetError`
    if the configuration names something that does not exist; `ModelError` if the loss is not finite.
    """
    return _Run(config, out, say).go(resume)


def describe(config: TrainConfig) -> tuple[NetworkDescription, Sighting]:
    """The network of a configuration, and how a session shows it an image."""
    table = config.network
    if table.library == "iiszoo":
        description = train_start.description_of_family(table.architecture)
        return description, Sighting(size=config.size, **dataclasses.asdict(config.sighting))
    description = completed(
        NetworkDescription(
            library=table.library,
            architecture=table.architecture,
            encoder=table.encoder,
            fusion=table.fusion,
            options=table.options,
            mean=table.mean,
            std=table.std,
            previous_mask=table.previous_mask,
            encoding=table.encoding.name,
            encoding_options=table.encoding.options,
        )
    )
    return description, Sighting(size=config.size, **dataclasses.asdict(config.sighting))


def new_network(config: TrainConfig) -> nn.Module:
    """The network of a configuration, with random weights; its encoder is pretrained if so configured."""
    description, _ = describe(config)
    torch.manual_seed(config.run.seed)
    network = build(description)
    weights = config.network.encoder_weights
    if weights and description.library == "iiszoo":
        raise BadOption(f"network.encoder_weights is not for networks of models, such as {description.architecture}")
    if weights and description.library == "mmseg":
        mmseg_weights.load(network, weights, config.network.architecture, config.network.options)
    elif weights.endswith(".safetensors"):
        from safetensors.torch import load_file

        if not Path(weights).is_file():
            raise BadOption(f"network.encoder_weights: there is no file {weights}")
        smp.load_encoder(network, load_file(weights), weights)
    elif weights:
        smp.load_encoder(network, smp.library_weights(description, weights), weights)
    return network


class _Run:
    def __init__(self, config: TrainConfig, out: Path, say: Say) -> None:
        self.start = train_start.find(config.start) if config.start else None
        if self.start is not None:
            config = dataclasses.replace(config, network=train_start.network_table(self.start, config.network))
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
        self.board: Any = None

    def go(self, resume: bool) -> dict[str, Any]:
        need_lightning()
        from iiszoo.models.lightning import ClickTraining, Clock, Optimisation

        checkpoint = self._directory(resume)
        config = self.config
        train, held = train_data.sources(config)
        self.validation_set = train_data.validation_set(config, held)
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
        samples = train_data.samples(config, train)
        start = 0 if checkpoint is None else _steps_of(checkpoint)
        self.board = _board(self.out / "tensorboard", start) if self.is_first else None
        batches = train_data.loader(config, samples, start * config.run.accumulate)
        self._fit(module, batches, checkpoint, clock)
        facts = self._finish("stopped" if self.stopped else "finished")
        if self.stopped:
            raise KeyboardInterrupt
        return facts

    def _fit(self, module: Any, batches: Any, checkpoint: Path | None, clock: Any) -> None:
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
            callbacks=[_Watch.made(self, clock)],
        )
        trainer.fit(module, batches, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)

    def _precision(self) -> str:
        if self.config.run.precision != "auto":
            return self.config.run.precision
        return "bf16-mixed" if self.device.startswith("cuda") and torch.cuda.is_bf16_supported() else "32-true"

    def _directory(self, resume: bool) -> Path | None:
        """Prepare the run directory; return the checkpoint to resume from, if there is one."""
        self.out.mkdir(parents=True, exist_ok=True)
        data = json.loads(json.dumps(as_data(self.config)))
        file, checkpoint = self.out / "config.json", self.out / "last.ckpt"
        if file.exists():
            if not resume:
                raise RunError(
                    f"{self.out} already contains a training run; continue it with --resume, or choose another --out"
                )
            theirs = json.loads(file.read_text("utf-8"))
            differing = _differences(theirs, data)
            if differing:
                raise RunError(
                    f"{self.out} contains a run of another configuration ({differing[0]} differs); choose another --out"
                )
        files.replace_text(file, json.dumps(data, indent=1))
        if not checkpoint.exists():
            if resume:
                self.say(f"{self.out} has no checkpoint yet: the run starts from the beginning")
            (self.out / "log.csv").unlink(missing_ok=True)
            return None
        return checkpoint

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

    def log(self, row: dict[str, Any]) -> None:
        columns = ("step", "seconds", "loss", "iou", "interactions", "lr", "samples_per_second", "waiting",
                   "noc85", "noc90", "nof90", "iou1", "iou5")  # fmt: skip
        path = self.out / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow({key: f"{v:.5g}" if isinstance(v, float) else v for key, v in row.items()})
        if self.board is not None:
            for key, value in row.items():
                if key != "step":
                    self.board.add_scalar(key, value, row["step"])

    def _finish(self, state: str) -> dict[str, Any]:
        if self.board is not None:
            self.board.close()
        facts = {
            "state": state,
            "seconds": time.time() - self.began,
            "validations": self.validations,
            "environment": provenance.environment(self.device, torch.get_num_threads()),
        }
        files.replace_text(self.out / "run.json", json.dumps(facts, indent=1))
        return facts


class _Watch:
    """Makes the callback that logs, validates and saves during training. Only `made` imports Lightning."""

    @staticmethod
    def made(run: _Run, clock: Any) -> Any:
        import pytorch_lightning as pl

        class Watch(pl.Callback):
            def __init__(self) -> None:
                self.saved = self.logged = time.monotonic()
                self.logged_step = -1
                self.validated_at = 0
                self.seen = 0
                self.waiting = 0.0
                self.ended = time.monotonic()

            def state_dict(self) -> dict[str, Any]:
                return {
                    "validations": run.validations,
                    "validated_at": self.validated_at,
                    "elapsed": clock.elapsed,
                }

            def load_state_dict(self, state_dict: dict[str, Any]) -> None:
                run.validations[:] = state_dict["validations"]
                self.validated_at = state_dict["validated_at"]
                clock.resume(state_dict["elapsed"])

            def on_train_start(self, trainer: Any, module: Any) -> None:
                if threading.current_thread() is threading.main_thread():
                    # set after Lightning's own handlers, which would lose all steps since the last checkpoint
                    for kind in (signal.SIGINT, signal.SIGTERM):
                        signal.signal(kind, self._stop)

            def _stop(self, number: int, frame: Any) -> None:
                if run.stopped:
                    raise KeyboardInterrupt
                run.stopped = True

            def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
                self.waiting += time.monotonic() - self.ended

            def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
                self.seen += len(batch.image)
                step, now = trainer.global_step, time.monotonic()
                if module.latest:
                    self._log(trainer, module, step, now)
                progress = clock.progress(step)
                over = progress >= 1
                if not run.stopped and (over or self._due(step, progress)):
                    self._validate(module, step)
                if over or run.stopped or now - self.saved > 60 * run.config.run.checkpoint_minutes:
                    self._save(trainer, module, step)
                if over or run.stopped:
                    trainer.should_stop = True
                self.ended = time.monotonic()

            def _due(self, step: int, progress: float) -> bool:
                table = run.config.validation
                turn = step // table.every if table.every else int(progress * table.times)
                due = turn > self.validated_at
                self.validated_at = max(turn, self.validated_at)
                return due

            def _log(self, trainer: Any, module: Any, step: int, now: float) -> None:
                found, module.latest = module.latest, {}
                lr = max(group["lr"] for group in trainer.optimizers[0].param_groups)
                speed = self.seen / max(now - self.logged, 1e-9)
                share = self.waiting / max(now - self.logged, 1e-9)
                row = {"step": step, "seconds": time.time() - run.began, **found, "lr": lr,
                       "samples_per_second": speed, "waiting": share}  # fmt: skip
                run.log(row)
                run.say(
                    f"step {step} ({row['seconds']:.0f} s): loss {found['loss']:.3f}, IoU {found['iou']:.3f} after "
                    f"{found['interactions']} further, lr {lr:.2g}, {speed:.0f} samples/s, {share:.0%} waiting for data"
                )
                self.seen, self.waiting, self.logged = 0, 0.0, now

            def _validate(self, module: Any, step: int) -> None:
                if not run.is_first:
                    return
                found = run.validated(module.average, step)
                if found is not None:
                    run.log({"step": step, "seconds": time.time() - run.began, **found})
                self.logged = time.monotonic()
                self.seen, self.waiting = 0, 0.0

            def _save(self, trainer: Any, module: Any, step: int) -> None:
                fresh = run.out / f".last.ckpt.{os.getpid()}.part"
                try:
                    trainer.save_checkpoint(fresh)
                    if run.is_first:
                        fresh.replace(run.out / "last.ckpt")
                        run.save_network("last", module.average, step, run.validations[-1] if run.validations else None)
                except OSError as error:
                    fresh.unlink(missing_ok=True)
                    raise RunError(
                        f"the checkpoint of step {step} cannot be written to {run.out}: {error.strerror or error}; the "
                        "previous one is kept"
                    ) from error
                self.saved = time.monotonic()

        return Watch()


def _board(directory: Path, start: int) -> Any:
    """TensorBoard's writer, from step `start` on; None if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory), purge_step=start)  # type: ignore[no-untyped-call]


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


def _steps_of(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:
        raise RunError(f"{checkpoint} is not a checkpoint that can be resumed: {error}") from error


def _rank(entry: dict[str, Any]) -> tuple[float, float, float]:
    return entry["noc90"], entry["noc85"], -entry["iou5"]


_MAY_DIFFER = {"run.device", "run.workers", "run.steps", "run.minutes", "run.log_every", "run.checkpoint_minutes",
               "run.in_memory", "run.compile", "run.devices"}  # fmt: skip
"""What may change when a run is resumed: it does not affect the samples or how they are trained on."""


def _differences(theirs: Any, ours: Any, key_path: str = "") -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for key in sorted(theirs.keys() | ours.keys()):
            here = f"{key_path}.{key}" if key_path else key
            if here not in _MAY_DIFFER:
                found += _differences(theirs.get(key), ours.get(key), here)
        return found
    return [] if theirs == ours else [key_path]
