"""How exact an answer is: whether CUDA computes float32 exactly or with TF32's 10 bits of mantissa, and how far the
answer of a changed network is from that of the original.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

TOLERANCE = 1e-3
"""For `apart`: what another order of the same operations may change."""


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


def apart(wanted: Tensor, found: Tensor) -> float:
    """The largest difference of two answers, as a share of the greatest value wanted, or of 1 if that is smaller."""
    return float((wanted - found).abs().max()) / max(1.0, float(wanted.abs().max()))
