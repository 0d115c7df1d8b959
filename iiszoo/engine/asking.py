"""Asking a model for one session: whatever it raises, or returns wrongly, is a `ModelError` that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from iiszoo import protocol
from iiszoo.errors import IISZooError, ModelError, with_place
from iiszoo.protocol import Clicks, Model, State


def encode(model: Model, x: Tensor) -> State:
    """The state before the first click on `x`, float32 (1, 3, H, W). Raises `ModelError`."""
    with torch.no_grad(), _named(model):
        encoded = model.init_z(x)
        protocol.check_state(encoded, 1, model.name)
    return encoded


def ask(model: Model, x: Tensor, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Tensor, State]:
    """The model's answer, float32 (1, 1, H, W), on the CPU, and its state. Raises `ModelError`."""
    with torch.no_grad(), _named(model):
        y, z = model(x, z, pcs, ncs)
        protocol.check_output(y, x, model.name)
        protocol.check_state(z, 1, model.name)
        return protocol.on_cpu(y[0])[None], z


@contextmanager
def _named(model: Model) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, IISZooError):
        raise
    except BaseException as error:
        raise ModelError(f"model {model.name} raised {with_place(error)}") from error
