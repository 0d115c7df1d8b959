"""Operators of an exported network in other forms, which onnxruntime computes faster; the answers are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from iiszoo.models.onnx_enlarged import convolve_before_enlarging
from iiszoo.models.onnx_network import session
from iiszoo.models.onnx_nodes import reads, settings

_FEW = 4
"""Channels. onnxruntime convolves to a multiple of 16 of them, and for one throws 15 away."""


def in_fast_forms(file: Path, inputs: Mapping[str, NDArray[Any]] | None = None) -> bytes:
    """An ONNX file's content with other operators.

    `inputs`: of one call, if all values have the same shapes in each but for the batch.
    """
    model = onnx.load(file)
    if inputs is not None:
        convolve_before_enlarging(model.graph, lambda names: _shapes(file, names, inputs))
    transpose_narrow_convolutions(model.graph)
    _drop_unused(model.graph)
    return bytes(model.SerializeToString())


def transpose_narrow_convolutions(graph: onnx.GraphProto) -> None:
    """Make convolutions to at most `_FEW` channels transposed ones by the kernel turned by 180 degrees, in place.

    Those multiply the input with the whole kernel at once and then add up the shifted products. Both are the same where
    nothing is strided and the output has the input's size.
    """
    kernels = {value.name: value for value in graph.initializer}
    uses = Counter(name for node in graph.node for name in reads(node))
    for node in graph.node:
        kernel = kernels.get(node.input[1]) if node.op_type == "Conv" else None
        if kernel is None or uses[kernel.name] > 1 or not _is_narrow(node, kernel):
            continue
        values = numpy_helper.to_array(kernel)
        turned = np.flip(values, axis=tuple(range(2, values.ndim))).swapaxes(0, 1)
        kernel.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(turned), kernel.name))
        node.op_type = "ConvTranspose"


def _is_narrow(node: onnx.NodeProto, kernel: onnx.TensorProto) -> bool:
    """Whether a convolution has few channels, nothing strided, and an output of the input's size."""
    its = settings(node)
    channels, _, *sides = kernel.dims
    once = [1] * len(sides)
    return (
        channels <= _FEW
        and its["group"] == 1
        and its["strides"] == its["dilations"] == once
        and its["pads"] == [side // 2 for side in sides] * 2
        and all(side % 2 for side in sides)
    )


def _shapes(file: Path, names: Iterable[str], inputs: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """The shapes of a graph's values in a call."""
    model = onnx.load(file)
    known = {value.name: inputs[value.name] for value in model.graph.input}
    asked = [*dict.fromkeys(name for name in names if name not in known)]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in asked)
    found = session(model.SerializeToString(), 1).run(asked, known)
    return {name: value.shape for name, value in (*known.items(), *zip(asked, found, strict=True))}


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Delete nodes and constants that no output needs; onnxruntime would compute them."""
    wanted, kept = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(reads(node))
    constants = [value for value in graph.initializer if value.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
