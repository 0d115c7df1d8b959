"""The precisions in which networks compute on torch; what goes in and comes out of a network is float32.

| precision  | products of matrices and convolutions                                                    |
|------------|------------------------------------------------------------------------------------------|
| `float32`  | in float32; on CUDA with TF32 off, so that they are as exact as on a CPU                  |
| `tf32`     | CUDA only: in float32 with 10 bits of mantissa                                            |
| `bfloat16` | in bfloat16, 7 bits of mantissa; norms and softmax stay in float32 (torch's autocast)     |
| `float16`  | in float16, 10 bits of mantissa; norms and softmax stay in float32                        |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def in_precision(precision: str, network: nn.Module, device: str) -> nn.Module:
    """A network that is called like `network` and computes in `precision`; itself where that is how it computes."""
    on_cuda = torch.device(device).type == "cuda"
    if not on_cuda and precision not in _AUTOCAST:
        return network
    return InPrecision(network, precision).train(network.training)


class InPrecision(nn.Module):
    """`network`, called in one precision. What torch is set to for others is restored after each call."""

    def __init__(self, network: nn.Module, precision: str) -> None:
        super().__init__()
        self.network, self.precision = network, precision
        self._dtype = _AUTOCAST.get(precision)
        if self._dtype is not None:
            round_weights(network, self._dtype)

    def forward(self, *inputs: Tensor) -> Any:
        """The network's answer, float32."""
        with tf32(self.precision != "float32"), self._autocast(inputs[0].device.type):
            return _as_float32(self.network(*inputs))

    def _autocast(self, device: str) -> torch.autocast:
        on = self._dtype is not None
        return torch.autocast(device, self._dtype or torch.bfloat16, enabled=on, cache_enabled=False)


def round_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Store the weights of a network's products in `dtype`, once: autocast would convert them at every call. And
    channels-last, in which order a GPU convolves short types: `ritm/h32` takes 0.6 of the time (one H200, 32 sessions).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.to(dtype)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """TF32 on or off on CUDA, for what is computed meanwhile; torch itself allows it for convolutions."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = allowed
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _as_float32(answer: Any) -> Any:
    if isinstance(answer, Tensor):
        return answer.float()
    return type(answer)(map(_as_float32, answer))
