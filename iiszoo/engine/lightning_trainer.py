"""Lightning's trainer, as every training here uses it: it prints nothing and writes nothing by itself."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from typing import TYPE_CHECKING, Any

from iiszoo.errors import BadOption

if TYPE_CHECKING:
    import pytorch_lightning as pl


def need_lightning() -> None:
    """Raise `BadOption` if Lightning is not installed."""
    if importlib.util.find_spec("pytorch_lightning") is None:
        raise BadOption("training needs Lightning, which is not installed; run `pip install iiszoo[train]`")


def quiet_trainer(device: str, *, devices: int | str | list[int] = 1, **settings: Any) -> pl.Trainer:
    """A trainer on `device` (`cpu`, `cuda`, `cuda:1`); `devices`, how many of them, if it names no single one."""
    need_lightning()
    import pytorch_lightning as pl

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    kind, _, index = device.partition(":")
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(kind, kind),
        devices=[int(index)] if index else devices,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
