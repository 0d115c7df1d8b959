"""Which operators of an exported network take another form, and that they answer the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from iiszoo.models.runtime import Graph, Values, image_and_maps, is_there, recording, run_on

if not is_there():
    pytest.skip("needs onnx and onnxruntime", allow_module_level=True)
import onnx

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
