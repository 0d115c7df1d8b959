"""The run directory of a training run: whose it is, and where the run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from iiszoo import files
from iiszoo.engine.training.config import TrainConfig
from iiszoo.engine.training.config_file import as_data
from iiszoo.errors import RunError

CONFIG = "config.json"
CHECKPOINT = "last.ckpt"
LOG = "log.csv"
RUN = "run.json"
_MAY_DIFFER = {"run.device", "run.workers", "run.steps", "run.minutes", "run.log_every", "run.checkpoint_minutes",
               "run.in_memory", "run.compile", "run.devices"}  # fmt: skip
"""What may change when a run is resumed: it does not affect the samples or how they are trained on."""


def prepare(out: Path, config: TrainConfig, resume: bool, say: Callable[[str], None]) -> Path | None:
    """Write the configuration; return the checkpoint to resume from, if there is one.

    Raises `RunError` if `out` contains another run, or this one and `resume` is false.
    """
    out.mkdir(parents=True, exist_ok=True)
    data = json.loads(json.dumps(as_data(config)))
    file, checkpoint = out / CONFIG, out / CHECKPOINT
    if file.exists():
        if not resume:
            raise RunError(f"{out} already contains a training run; continue it with --resume, or choose another --out")
        differing = _differences(json.loads(file.read_text("utf-8")), data)
        if differing:
            raise RunError(
                f"{out} contains a run of another configuration ({differing[0]} differs); choose another --out"
            )
    files.replace_text(file, json.dumps(data, indent=1))
    if checkpoint.exists():
        return checkpoint
    if resume:
        say(f"{out} has no checkpoint yet: the run starts from the beginning")
    (out / LOG).unlink(missing_ok=True)
    return None


def steps_of(checkpoint: Path) -> int:
    """The optimiser's steps before a checkpoint. Raises `RunError` if it cannot be read."""
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:
        raise RunError(f"{checkpoint} is not a checkpoint that can be resumed: {error}") from error


def _differences(theirs: Any, ours: Any, key_path: str = "") -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for key in sorted(theirs.keys() | ours.keys()):
            here = f"{key_path}.{key}" if key_path else key
            if here not in _MAY_DIFFER:
                found += _differences(theirs.get(key), ours.get(key), here)
        return found
    return [] if theirs == ours else [key_path]
