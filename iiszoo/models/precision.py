"""The precisions in which networks compute on torch; what goes in and comes out of a network is float32.

| precision  | products of matrices and convolutions                                                    |
|------------|------------------------------------------------------------------------------------------|
| `float32`  | in float32; on CUDA with TF32 off, so that they are as exact as on a CPU                  |
| `tf32`     | CUDA only: in float32 with 10 bits of mantissa                                            |
| `bfloat16` | in bfloat16, 7 bits of mantissa, and so is all that lies between them                     |
| `float16`  | in float16, 10 bits of mantissa, likewise                                                 |

In the short types the weights are rounded once, batch norms are folded into convolutions, and images are channels-last.
torch's autocast, which computes norms in float32, converts so much that it is half as fast.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo.models.exactness import tf32
from iiszoo.models.runtime import Graph, example_inputs

SHORT = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def in_precision(precision: str, network: nn.Module, device: str, graph: Graph | None = None) -> nn.Module:
    """A network that is called like `network` and computes in `precision`; itself where that is how it computes.

    In the short types it is a copy in evaluation mode; the batch norms of a network whose `graph` is known are folded.
    """
    if precision not in SHORT:
        on_cuda = torch.device(device).type == "cuda"
        return InPrecision(network, precision).train(network.training) if on_cuda else network
    network = _padded(copy.deepcopy(network).eval())
    if graph is None:
        return InPrecision(network, precision)
    from iiszoo.models.fold import folded  # needs timm, whose import takes longer than torch's

    exact = frozenset(i for i, values in enumerate(graph.inputs.values()) if values.exact)
    return InPrecision(folded(network, example_inputs(graph, graph.traced, device)), precision, exact)


_MULTIPLE = 8
"""Tensor cores multiply this many short numbers at a time. With HRNet-18's 18 and 36 channels cuDNN copies each map
into a padded one, and then takes twice the time of 24 and 40 (one H200)."""


def _padded(network: nn.Module) -> nn.Module:
    """The network with parts of more channels, where a part knows how: `with_padded_channels(multiple)`."""
    for name, part in list(network.named_modules()):
        if hasattr(part, "with_padded_channels"):
            parent, _, last = name.rpartition(".")
            padded = part.with_padded_channels(_MULTIPLE)
            if not name:
                return padded  # type: ignore[no-any-return]
            setattr(network.get_submodule(parent), last, padded)
    return network


class InPrecision(nn.Module):
    """`network`, called in one precision; the inputs at the positions `exact` stay float32 in all. What torch is set to
    for others is restored after each call.
    """

    def __init__(self, network: nn.Module, precision: str, exact: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self.network, self._exact = network, exact
        self._tf32, self._type = precision != "float32", SHORT.get(precision)
        if self._type is not None:
            round_weights(network, self._type)

    def forward(self, *inputs: Tensor) -> Any:
        """The network's answer, float32."""
        if self._type is not None:
            inputs = tuple(x if i in self._exact else x.to(self._type) for i, x in enumerate(inputs))
        with tf32(self._tf32):
            return _as_float32(self.network(*inputs))


def round_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Round all weights but those of batch norms, which torch reads in float32 beside maps of a short type; and order
    them channels-last, as a GPU convolves short types.
    """
    network.to(dtype)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.float()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _as_float32(answer: Any) -> Any:
    if isinstance(answer, Tensor):
        return answer.float()
    return type(answer)(map(_as_float32, answer))
