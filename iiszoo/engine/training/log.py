"""The log of a training run: `log.csv`, and TensorBoard's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from iiszoo.engine.training.directory import LOG

_COLUMNS = ("step", "seconds", "loss", "iou", "interactions", "lr", "samples_per_second", "waiting",
            "noc85", "noc90", "nof90", "iou1", "iou5")  # fmt: skip


class Log:
    """Appends rows to the log in `out`. With `board`, also to TensorBoard from step `start` on, if it is installed."""

    def __init__(self, out: Path, start: int, board: bool) -> None:
        self._path = out / LOG
        self._board = _board(out / "tensorboard", start) if board else None

    def add(self, row: dict[str, Any]) -> None:
        """`row`: values by column; it may lack some."""
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow({key: f"{v:.5g}" if isinstance(v, float) else v for key, v in row.items()})
        if self._board is not None:
            for key, value in row.items():
                if key != "step":
                    self._board.add_scalar(key, value, row["step"])

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def _board(directory: Path, start: int) -> Any:
    """TensorBoard's writer, from step `start` on; None if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory), purge_step=start)  # type: ignore[no-untyped-call]
