"""Convolutions of maps that are enlarged twofold by repeating pixels, in an exported network: at the small map's size.

A U-Net's decoder writes each pixel four times, puts the encoder's maps beside, and convolves with 3 x 3. Only 2 x 2 of
the pixels that an output reads differ: four products instead of nine. So a convolution 2 x 2 of the small map computes
the four outputs about each corner of its pixels, as four times the channels, and they are put in their places
afterwards. The encoder's maps have a convolution of their own, and the sum is the answer.

"Corners" are those of the small map's pixels, one more than pixels along each side. They have channels last, so that an
output's channels are copied at once; onnxruntime changes the order of memory at both ends of a convolution anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from iiszoo.models.onnx_nodes import reads, settings

Shapes = Callable[[Iterable[str]], Mapping[str, Sequence[int]]]
"""The shapes of a graph's values by name, which are the same in each call but for the batch."""
_TAPS = (((0,), (1, 2)), ((0, 1), (2,)))
"""Of an even and of an odd row: which of the kernel's rows meet the upper and which the lower small row."""


@dataclass(frozen=True)
class _Found:
    """A convolution of the output of `resize` and of the maps `beside` it, and the Relu after it, if there is one."""

    convolution: onnx.NodeProto
    kernel: NDArray[np.float32]
    resize: onnx.NodeProto
    beside: Sequence[str]
    relu: onnx.NodeProto | None


def convolve_before_enlarging(graph: onnx.GraphProto, shapes: Shapes) -> None:
    """Replace all such convolutions, in place."""
    found = [*_find(graph)]
    if not found:
        return
    sizes = shapes([name for each in found for name in (each.resize.input[0], each.resize.output[0])])
    for each in found:
        small, large = (sizes[name] for name in (each.resize.input[0], each.resize.output[0]))
        if list(large[2:]) == [2 * n for n in small[2:]]:
            _replace(graph, each, small)


def _find(graph: onnx.GraphProto) -> Iterator[_Found]:
    makers = {name: node for node in graph.node for name in node.output}
    kernels = {value.name: value for value in graph.initializer}
    answers = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type != "Conv" or node.input[1] not in kernels or not _keeps_size(node):
            continue
        resize, beside = makers.get(node.input[0]), []
        if resize is not None and resize.op_type == "Concat" and settings(resize)["axis"] == 1:
            first, *beside = resize.input
            resize = makers.get(first)
        if resize is not None and _repeats(resize):
            users = [each for each in graph.node if node.output[0] in reads(each)]
            alone = node.output[0] not in answers and [each.op_type for each in users] == ["Relu"]
            relu = users[0] if alone else None
            yield _Found(node, numpy_helper.to_array(kernels[node.input[1]]), resize, beside, relu)


def _replace(graph: onnx.GraphProto, found: _Found, shape: Sequence[int]) -> None:
    """Replace one of them; `shape`: of the small map."""
    (_, n, height, width), kernel, bias = shape, found.kernel, found.convolution.input[2:]
    new = _Nodes(graph, found.convolution.output[0])
    source = [found.resize.input[0], new.value(_of_corners(kernel[:, :n]))]
    if bias and not found.beside:
        values = next(numpy_helper.to_array(each) for each in graph.initializer if each.name == bias[0])
        source.append(new.value(np.tile(values, 4)))
    corners = new.add("Conv", source, pads=[1] * 4)  # (B, 4 D, height + 1, width + 1)
    if found.relu is not None and not found.beside:
        corners = new.add("Relu", [corners])
    corners = new.add("Transpose", [corners], perm=[0, 2, 3, 1])
    total = _placed(new, corners, (height, width, len(kernel)))
    if found.beside:
        maps = new.add("Concat", found.beside, axis=1) if len(found.beside) > 1 else found.beside[0]
        maps = new.add("Conv", [maps, new.value(kernel[:, n:]), *bias], pads=[1] * 4)
        total = new.add("Add", [total, new.add("Transpose", [maps], perm=[0, 2, 3, 1])])
        if found.relu is not None:
            total = new.add("Relu", [total])
    last = found.convolution if found.relu is None else found.relu
    new.add("Transpose", [total], last.output[0], perm=[0, 3, 1, 2])
    at = list(graph.node).index(found.convolution)
    nodes = [*graph.node[:at], *new.nodes, *(each for each in graph.node[at + 1 :] if each != found.relu)]
    del graph.node[:]
    graph.node.extend(nodes)


def _placed(new: _Nodes, corners: str, size: tuple[int, int, int]) -> str:
    """(B, height + 1, width + 1, 4 D) -> (B, 2 height, 2 width, D): each corner's four outputs in their places."""
    *sides, depth = size
    rows = []
    for odd_row in (0, 1):
        parts = []
        for odd_column in (0, 1):
            begin = np.array([odd_row, odd_column, (2 * odd_row + odd_column) * depth])
            cut = [new.value(each) for each in (begin, begin + size, np.arange(1, 4))]
            parts.append(new.add("Slice", [corners, *cut]))
        rows.append(new.add("Concat", parts, axis=3))
    total = new.add("Concat", rows, axis=2)  # in memory: B, height, odd row, width, odd column, D
    return new.add("Reshape", [total, new.value(np.array([-1, *(2 * side for side in sides), depth]))])


class _Nodes:
    """New nodes for a graph, and new constants in it, named after one of its values."""

    def __init__(self, graph: onnx.GraphProto, name: str) -> None:
        self.graph, self.name, self.nodes = graph, name, list[onnx.NodeProto]()

    def value(self, array: NDArray[Any]) -> str:
        """The name of a new constant."""
        name = f"{self.name}/{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str = "", **settings: Any) -> str:
        """The name of a new node's output."""
        name = f"{self.name}/{operator} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output or name], name=name, **settings))
        return output or name


def _of_corners(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel (D, C, 3, 3) as (4 D, C, 2, 2): for the outputs of an even row and column, an even row and an odd
    column, and so on.
    """
    corners = np.zeros((2, 2, *kernel.shape[:2], 2, 2), kernel.dtype)
    for odd_row, odd_column, i, j in product((0, 1), repeat=4):
        for row, column in product(_TAPS[odd_row][i], _TAPS[odd_column][j]):
            corners[odd_row, odd_column, :, :, i, j] += kernel[:, :, row, column]
    return corners.reshape(-1, kernel.shape[1], 2, 2)


def _repeats(node: onnx.NodeProto) -> bool:
    """Whether a node enlarges by repeating pixels, if it does by a whole number."""
    its = settings(node)
    return (
        node.op_type == "Resize"
        and its["mode"] == b"nearest"
        and its["coordinate_transformation_mode"] == b"asymmetric"
        and its["nearest_mode"] == b"floor"
    )


def _keeps_size(node: onnx.NodeProto) -> bool:
    """Whether a convolution has a kernel of 3 x 3 and an output of the input's size."""
    wanted = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1], "dilations": [1, 1], "group": 1}
    its = settings(node)
    return all(its[name] == value for name, value in wanted.items())
