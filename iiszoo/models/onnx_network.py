"""An ONNX file on onnxruntime, called like the network that it was exported from; on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo.errors import ModelError, one_line


class OnnxNetwork:
    """Takes tensors in the order of `inputs`, the file's names of them, and returns a tensor, or a tuple of several.
    `file` may also be a file's content.

    It uses as many threads as torch does at the time of a call. Raises `ModelError` if the file cannot be read.
    """

    def __init__(self, file: Path | bytes, inputs: tuple[str, ...]) -> None:
        self.file, self.inputs = file, inputs
        self._threads = torch.get_num_threads()
        self._session = session(file, self._threads)

    def __call__(self, *inputs: Tensor) -> Any:
        if torch.get_num_threads() != self._threads:
            self._threads = torch.get_num_threads()
            self._session = session(self.file, self._threads)
        given = {name: np.ascontiguousarray(x.numpy(force=True)) for name, x in zip(self.inputs, inputs, strict=True)}
        taken = {value.name: given[value.name] for value in self._session.get_inputs()}
        outputs = tuple(torch.from_numpy(value) for value in self._session.run(None, taken))
        return outputs[0] if len(outputs) == 1 else outputs

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it opens the file again."""
        return OnnxNetwork, (self.file, self.inputs)


def session(model: Path | bytes, threads: int) -> Any:
    """onnxruntime's session of a file or of its content. Raises `ModelError` if it cannot be read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has classes of its own
        what = "the exported network" if isinstance(model, bytes) else model
        raise ModelError(f"{what} cannot be read by onnxruntime: {one_line(error)}") from error
