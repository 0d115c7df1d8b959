"""A model of an id with synthetic weights, loaded by its own loader from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from iiszoo.loading import load_model
from iiszoo.models.synthetic_weights import Own, fill
from iiszoo.protocol import Model


def load_synthetic(
    model: str, network: nn.Module, device: str = "cpu", *, conv_gain: float = 1.0, own: Own | None = None
) -> Model:
    """The model of an id, with or without options, loaded by its own loader from a checkpoint with synthetic weights.

    `network`: the network of the checkpoint; it is filled. `conv_gain`, `own`: as for `fill`.
    """
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "synthetic.pth"
        torch.save(fill(network, conv_gain, own).state_dict(), checkpoint)
        return load_model(model, checkpoint=checkpoint, device=device)
