"""Which operators of an exported network take another form, and that they answer the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iiszoo.models.runtime import Graph, Values, image_and_maps, is_there, recording, run_on

if not is_there():
    pytest.skip("needs onnx and onnxruntime", allow_module_level=True)
import onnx
from onnx import TensorProto, helper, numpy_helper

from iiszoo.models.onnx_forms import in_fast_forms
from iiszoo.models.onnx_network import OnnxNetwork

GRAPH = image_and_maps(2, "two maps")
SAME = {"kernel_size": 3, "padding": 1}


class OneConvolution(nn.Module):
    def __init__(self, **settings: int | tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Conv2d(6, **{"out_channels": 1, **SAME, **settings})  # type: ignore[arg-type]

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        answer: Tensor = self.layers(torch.cat((image, maps, maps[:, :1]), 1))
        return answer


def operators(settings: dict[str, int | tuple[int, ...]]) -> set[str]:
    """Those of the file of a network with one convolution, which answers like the network."""
    torch.manual_seed(0)
    network = OneConvolution(**settings).eval().requires_grad_(False)
    image, maps = torch.rand(2, 3, 21, 34), torch.rand(2, 2, 21, 34)
    wanted = network(image, maps)
    logits = Values(("batch", wanted.shape[1], "rows", "columns"), "logits")
    graph = Graph("network", GRAPH.inputs, {"logits": logits}, GRAPH.traced)
    with recording() as files:
        found = run_on("onnx", network, graph)(image, maps)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    return {node.op_type for node in onnx.load(files[0][1]).graph.node}


@pytest.mark.parametrize(
    "settings",
    [{}, {"out_channels": 4}, {"kernel_size": 1, "padding": 0}, {"kernel_size": (3, 5), "padding": (1, 2)}],
)
def test_a_convolution_to_few_channels_is_transposed(settings: dict[str, int | tuple[int, ...]]) -> None:
    assert "ConvTranspose" in operators(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"out_channels": 5},
        {"stride": 2},
        {"padding": 0},
        {"padding": 2},
        {"dilation": 2},
        {"out_channels": 2, "groups": 2},
        {"kernel_size": 4, "padding": 2},
    ],
)
def test_others_remain(settings: dict[str, int | tuple[int, ...]]) -> None:
    assert "ConvTranspose" not in operators(settings)


def test_what_only_a_branch_reads_remains(tmp_path: Path) -> None:
    """A branch of an If (transformers' SAM 2 has one) reads values of the graph around it that no node names as input:
    here a value, and the kernel of a narrow convolution, which is then not turned.
    """
    kernel = numpy_helper.from_array(np.random.default_rng(0).random((1, 1, 3, 3), np.float32), "kernel")
    reading = [helper.make_node("Concat", ["doubled", "kernel"], ["read"], axis=3)]
    other = [helper.make_node("Identity", ["kernel"], ["other"])]
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("read", "other")]
    same = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1], "dilations": [1, 1], "group": 1}
    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"]),
        helper.make_node("Conv", ["x", "kernel"], ["convolved"], **same),
        helper.make_node(
            "If",
            ["condition"],
            ["branch"],
            then_branch=helper.make_graph(reading, "then", [], answers[:1]),
            else_branch=helper.make_graph(other, "else", [], answers[1:]),
        ),
    ]
    given = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3, 3]),
        helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
    ]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("convolved", "branch")]
    graph = helper.make_graph(nodes, "graph", given, taken, [kernel])
    file = tmp_path / "network.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    inputs = torch.rand(1, 1, 3, 3), torch.tensor(True)
    before, after = (OnnxNetwork(f, ("x", "condition"))(*inputs) for f in (file, in_fast_forms(file)))
    for one, other_one in zip(before, after, strict=True):
        torch.testing.assert_close(one, other_one)
