"""What waits for a GPU, told on machines that have none: a GPU whose tensors have shapes but no values.

A GPU works through a queue. Whoever reads a value, or copies from memory that is not page-locked, waits until the queue
is empty, and nothing is put into it meanwhile.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._pytree import tree_leaves

from iiszoo import protocol


@contextmanager
def fake_gpu() -> Iterator[list[str]]:
    """Within it "cuda" is such a GPU. Yields the list that gets "FILE:LINE" for each wait: of `protocol.on_cpu`, which
    gives ones here, and of copies. Reading a value in any other way raises torch's `DataDependentOutputException` or
    `DynamicOutputShapeException`.
    """
    gpu = _GPU()
    with (
        patch.object(protocol, "on_cpu", gpu.on_cpu),
        patch.object(Tensor, "pin_memory", lambda values: values),
        gpu,
    ):
        yield gpu.waits


def waits_per_click(model: protocol.Model, *, from_mask: bool = False) -> list[int]:
    """How often each of three calls with three sessions waits for the GPU; they start from nothing, or from a mask."""
    size, counts = (48, 64), []
    with torch.no_grad(), fake_gpu() as waits:
        x = torch.zeros(3, 3, *size, device="cuda")
        z = model.init_z(x)
        if from_mask:
            z = {**z, "prev_output": torch.ones(3, 1, *size, device="cuda")}
        pcs: protocol.Clicks = []
        ncs: protocol.Clicks = []
        for k in range(3):
            before = len(waits)
            pcs = [*pcs, [[(20 + k, 20)], [(5, 5 + k)], []]]
            ncs = [*ncs, [[], [], [(7, 7 + k)]]]
            _, z = model(x, z, pcs, ncs)
            counts.append(len(waits) - before)
    return counts


class _GPU(FakeTensorMode):
    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)  # type: ignore[no-untyped-call]
        self.waits: list[str] = []

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        if not any(isinstance(value, FakeTensor) or _is_gpu(value) for value in given):
            with unset_fake_temporarily():
                return operator(*args, **kwargs)
        result = super().__torch_dispatch__(operator, types, args, kwargs)
        places = {value.device.type for value in (*given, result) if isinstance(value, Tensor)}
        names = [argument.name for argument in operator._schema.arguments]
        settings = {**dict(zip(names, args, strict=False)), **kwargs}
        moves = any(what in str(operator) for what in ("copy", "index"))  # an index on the CPU is copied, too
        if moves and len(places) > 1 and not settings.get("non_blocking"):
            self._note()
        return result

    def on_cpu(self, y: Tensor) -> Tensor:
        """In place of `protocol.on_cpu`."""
        if not y.is_cuda:
            return y
        self._note()
        with unset_fake_temporarily():
            return torch.ones(tuple(y.shape), dtype=y.dtype)

    def _note(self) -> None:
        """Note the line of iiszoo or a plugin that waits."""
        lines = (line for line in reversed(traceback.extract_stack()) if line.filename != __file__)
        where = next(line for line in lines if "site-packages" not in line.filename)
        self.waits.append(f"{where.filename}:{where.lineno}")


def _is_gpu(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == "cuda"
