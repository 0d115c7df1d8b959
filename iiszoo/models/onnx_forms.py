"""Operators of an exported network in other forms, which onnxruntime computes faster; the answers are the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

_FEW = 4
"""Channels. onnxruntime convolves to a multiple of 16 of them, and for one throws 15 away."""


def in_fast_forms(content: bytes) -> bytes:
    """An ONNX file's content with other operators."""
    model = onnx.load_from_string(content)
    transpose_narrow_convolutions(model.graph)
    return bytes(model.SerializeToString())


def transpose_narrow_convolutions(graph: onnx.GraphProto) -> None:
    """Make convolutions to at most `_FEW` channels transposed ones by the kernel turned by 180 degrees, in place.

    Those multiply the input with the whole kernel at once and then add up the shifted products. Both are the same where
    nothing is strided and the output has the input's size.
    """
    kernels = {value.name: value for value in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
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
    settings = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    channels, _, *sides = kernel.dims
    once = [1] * len(sides)
    return (
        channels <= _FEW
        and settings["group"] == 1
        and settings["strides"] == settings["dilations"] == once
        and settings["pads"] == [side // 2 for side in sides] * 2
        and all(side % 2 for side in sides)
    )
