"""What happens beside the steps of a training run: the log, validations, checkpoints, and a stop by a signal."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from iiszoo.engine.training.directory import CHECKPOINT
from iiszoo.errors import RunError

if TYPE_CHECKING:
    from iiszoo.engine.training.run import Run
    from iiszoo.models.lightning import Clock


class Watch(pl.Callback):
    """Logs, validates and saves during training."""

    def __init__(self, run: Run, clock: Clock) -> None:
        self.run, self.clock = run, clock
        self.saved = self.logged = time.monotonic()
        self.validated_at = 0
        self.seen = 0
        self.waiting = 0.0
        self.ended = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {
            "validations": self.run.validations,
            "validated_at": self.validated_at,
            "elapsed": self.clock.elapsed,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.run.validations[:] = state_dict["validations"]
        self.validated_at = state_dict["validated_at"]
        self.clock.resume(state_dict["elapsed"])

    def on_train_start(self, trainer: Any, module: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            # set after Lightning's own handlers, which would lose all steps since the last checkpoint
            for kind in (signal.SIGINT, signal.SIGTERM):
                signal.signal(kind, self._stop)

    def _stop(self, number: int, frame: Any) -> None:
        if self.run.stopped:
            raise KeyboardInterrupt
        self.run.stopped = True

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.waiting += time.monotonic() - self.ended

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen += len(batch.image)
        step, now = trainer.global_step, time.monotonic()
        if module.latest:
            self._log(trainer, module, step, now)
        progress = self.clock.progress(step)
        over = progress >= 1
        if not self.run.stopped and (over or self._due(step, progress)):
            self._validate(module, step)
        if over or self.run.stopped or now - self.saved > 60 * self.run.config.run.checkpoint_minutes:
            self._save(trainer, module, step)
        if over or self.run.stopped:
            trainer.should_stop = True
        self.ended = time.monotonic()

    def _due(self, step: int, progress: float) -> bool:
        table = self.run.config.validation
        turn = step // table.every if table.every else int(progress * table.times)
        due = turn > self.validated_at
        self.validated_at = max(turn, self.validated_at)
        return due

    def _log(self, trainer: Any, module: Any, step: int, now: float) -> None:
        found, module.latest = module.latest, {}
        lr = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        speed = self.seen / max(now - self.logged, 1e-9)
        share = self.waiting / max(now - self.logged, 1e-9)
        row = {"step": step, "seconds": time.time() - self.run.began, **found, "lr": lr,
               "samples_per_second": speed, "waiting": share}  # fmt: skip
        self.run.log.add(row)
        self.run.say(
            f"step {step} ({row['seconds']:.0f} s): loss {found['loss']:.3f}, IoU {found['iou']:.3f} after "
            f"{found['interactions']} further, lr {lr:.2g}, {speed:.0f} samples/s, {share:.0%} waiting for data"
        )
        self.seen, self.waiting, self.logged = 0, 0.0, now

    def _validate(self, module: Any, step: int) -> None:
        if not self.run.is_first:
            return
        found = self.run.validated(module.average, step)
        if found is not None:
            self.run.log.add({"step": step, "seconds": time.time() - self.run.began, **found})
        self.logged = time.monotonic()
        self.seen, self.waiting = 0, 0.0

    def _save(self, trainer: Any, module: Any, step: int) -> None:
        fresh = self.run.out / f".{CHECKPOINT}.{os.getpid()}.part"
        try:
            trainer.save_checkpoint(fresh)
            if self.run.is_first:
                fresh.replace(self.run.out / CHECKPOINT)
                last = self.run.validations[-1] if self.run.validations else None
                self.run.save_network("last", module.average, step, last)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise RunError(
                f"the checkpoint of step {step} cannot be written to {self.run.out}: {error.strerror or error}; the "
                "previous one is kept"
            ) from error
        self.saved = time.monotonic()
