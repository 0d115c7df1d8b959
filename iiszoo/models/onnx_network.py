"""An ONNX file on onnxruntime, called like the network that it was exported from; on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo.errors import ModelError, one_line
from iiszoo.models.runtime import BATCH

_SLOWER = ["SkipLayerNormFusion"]
"""Optimisations of onnxruntime that cost time: a sum and a norm in one operator take three times as long as apart."""


class OnnxNetwork:
    """Takes tensors in the order of `inputs`, the file's names of them, and returns a tensor, or a tuple of several.
    `file` may also be a file's content.

    `one_by_one`: the first axis of each input and output is the batch, and its elements are computed apart. With all
    sizes known beforehand onnxruntime makes the graph smaller and faster, and on a CPU a batch saves nothing.

    It uses as many threads as torch does at the time of a call. Raises `ModelError` if the file cannot be read.
    """

    def __init__(self, file: Path | bytes, inputs: tuple[str, ...], one_by_one: bool = False) -> None:
        self.file, self.inputs, self.one_by_one = file, inputs, one_by_one
        self._threads = torch.get_num_threads()
        self._session = self._opened()

    def __call__(self, *inputs: Tensor) -> Any:
        if torch.get_num_threads() != self._threads:
            self._threads = torch.get_num_threads()
            self._session = self._opened()
        given = {name: np.ascontiguousarray(x.numpy(force=True)) for name, x in zip(self.inputs, inputs, strict=True)}
        taken = {value.name: given[value.name] for value in self._session.get_inputs()}
        if self.one_by_one:
            elements = range(len(inputs[0]))
            found = [self._session.run(None, {name: x[b : b + 1] for name, x in taken.items()}) for b in elements]
            values = [np.concatenate(each) if len(each) > 1 else each[0] for each in zip(*found, strict=True)]
        else:
            values = self._session.run(None, taken)
        outputs = tuple(torch.from_numpy(value) for value in values)
        return outputs[0] if len(outputs) == 1 else outputs

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it opens the file again."""
        return OnnxNetwork, (self.file, self.inputs, self.one_by_one)

    def _opened(self) -> Any:
        return session(self.file, self._threads, {BATCH: 1} if self.one_by_one else {})


def session(model: Path | bytes, threads: int, sizes: Mapping[str, int] | None = None) -> Any:
    """onnxruntime's session of a file or of its content; `sizes` of named axes that are always the same. Raises
    `ModelError` if it cannot be read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    for axis, size in (sizes or {}).items():
        options.add_free_dimension_override_by_name(axis, size)
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
        )
    except Exception as error:  # onnxruntime has classes of its own
        what = "the exported network" if isinstance(model, bytes) else model
        raise ModelError(f"{what} cannot be read by onnxruntime: {one_line(error)}") from error
