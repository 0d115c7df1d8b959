"""The two passes of `batch_distance` on a GPU. Imported only if there is one: Triton comes with torch for CUDA.

The only annotation of a kernel's parameters is `tl.constexpr`: Triton evaluates annotations, and rejects all others.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def squared_distances_on_gpu(masks: Tensor) -> Tensor:
    """Squared distances, int32 (N, H, W), for contiguous bool masks (N, H, W)."""
    n, height, width = masks.shape
    g = torch.empty(masks.shape, dtype=torch.int32, device=masks.device)
    squares = torch.empty_like(g)
    block = 64
    _columns[(n, triton.cdiv(width, block))](masks.view(torch.uint8), g, height, width, BLOCK=block)
    _rows[(n * height,)](g, squares, width, BLOCK=triton.next_power_of_2(width))
    return squares


@triton.jit
def _columns(masks, g, height, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < width
    first = tl.program_id(0).to(tl.int64) * height * width + columns
    run = tl.zeros([BLOCK], tl.int32)
    for r in range(height):
        pixel = tl.load(masks + first + r * width, mask=inside, other=0).to(tl.int32)
        run = (run + 1) * pixel
        tl.store(g + first + r * width, run, mask=inside)
    tl.debug_barrier()
    run = tl.zeros([BLOCK], tl.int32)
    for k in range(height):
        at = g + first + (height - 1 - k) * width
        run = tl.minimum(run + 1, tl.load(at, mask=inside, other=0))
        tl.store(at, run, mask=inside)


@triton.jit
def _rows(g, squares, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    first = tl.program_id(0).to(tl.int64) * width
    left, right = columns + 1, width - columns  # to the border
    best = tl.minimum(left * left, right * right)
    for c in range(width):
        height = tl.load(g + first + c)
        apart = columns - c
        best = tl.minimum(best, apart * apart + height * height)
    tl.store(squares + first + columns, best, mask=inside)
