"""Convolutions of maps that are enlarged by repeating pixels: which are computed at the small size, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.models.runtime import Graph, Values, is_there, recording, run_on

if not is_there():
    pytest.skip("needs onnx and onnxruntime", allow_module_level=True)
import onnx

SMALL, LARGE = (5, 7), (10, 14)
IMAGES = {
    "small": Values(("batch", 4, *SMALL), "a map"),
    "large": Values(("batch", 3, *LARGE), "one of twice its size"),
}


class Decoder(nn.Module):
    """One block of a decoder; `block` gets its convolution, to six channels, and the two maps."""

    def __init__(self, n: int, block: Callable[[nn.Module, Tensor, Tensor], Tensor], bias: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n, 6, 3, padding=1, bias=bias)
        self.block = block

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        return self.block(self.convolution, small, large)


def enlarged(x: Tensor, size: tuple[int, int] = LARGE, mode: str = "nearest") -> Tensor:
    return F.interpolate(x, size, mode=mode)


def operators(network: nn.Module) -> set[str]:
    """Those of the exported network, which answers like the network."""
    network = network.eval().requires_grad_(False)
    small, large = torch.rand(3, 4, *SMALL), torch.rand(3, 3, *LARGE)
    wanted = network(small, large)
    answers = wanted if isinstance(wanted, tuple) else (wanted,)
    outputs = {f"answer {n}": Values(("batch", *maps.shape[1:]), "maps") for n, maps in enumerate(answers)}
    graph = Graph("decoder", IMAGES, outputs, {"batch": 2})
    with recording() as files:
        found = run_on("onnx", network, graph)(small, large)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    return {node.op_type for node in onnx.load(files[0][1]).graph.node}


def alone(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(enlarged(small)).relu() + large[:, :1]  # type: ignore[no-any-return]


def without_relu(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(enlarged(small)).sigmoid() + large[:, :1]  # type: ignore[no-any-return]


def beside_one(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(torch.cat((enlarged(small), large), 1)).relu()  # type: ignore[no-any-return]


def beside_two(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(torch.cat((enlarged(small), large, large.sqrt()), 1))  # type: ignore[no-any-return]


def used_twice(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    maps = convolution(torch.cat((enlarged(small), large), 1))
    return maps.relu() + maps  # type: ignore[no-any-return]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("n", "block"), [(4, alone), (4, without_relu), (7, beside_one), (10, beside_two), (7, used_twice)]
)
def test_it_is_computed_at_the_small_size(
    n: int, block: Callable[[nn.Module, Tensor, Tensor], Tensor], bias: bool
) -> None:
    torch.manual_seed(0)
    found = operators(Decoder(n, block, bias))
    assert "Slice" in found
    assert "Resize" not in found


def threefold(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(enlarged(small, (15, 21))) + large[:, :1, :1, :1]  # type: ignore[no-any-return]


def smooth(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(torch.cat((enlarged(small, mode="bilinear"), large), 1))  # type: ignore[no-any-return]


def second(convolution: nn.Module, small: Tensor, large: Tensor) -> Tensor:
    return convolution(torch.cat((large, enlarged(small)), 1))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("n", "block"), [(4, threefold), (7, smooth), (7, second)])
def test_others_remain(n: int, block: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    assert "Resize" in operators(Decoder(n, block))


def test_another_convolution_remains() -> None:
    torch.manual_seed(0)
    network = Decoder(4, alone)
    network.convolution = nn.Conv2d(4, 6, 5, padding=2)
    assert "Resize" in operators(network)


def test_a_convolution_that_is_an_answer_itself_is_computed_at_the_small_size() -> None:
    class Both(Decoder):
        def forward(self, small: Tensor, large: Tensor) -> Any:
            maps = super().forward(small, large)
            return maps, maps.relu()

    assert "Resize" not in operators(Both(4, lambda convolution, small, large: convolution(enlarged(small))))
