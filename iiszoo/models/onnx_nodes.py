"""What a node of an ONNX graph says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from onnx import helper


def settings(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """The values that a node reads: its inputs, and all that its branches read (If, Loop), which see the values of the
    graph around them without naming them as inputs.
    """
    yield from node.input
    for value in settings(node).values():
        if isinstance(value, onnx.GraphProto):
            yield from (output.name for output in value.output)
            for inner in value.node:
                yield from reads(inner)
