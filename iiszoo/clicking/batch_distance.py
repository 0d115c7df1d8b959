"""Exact distances inside many masks at once, on their device, for drawing training clicks.

The squared distance of a pixel in a mask is an integer of 1 or more: the one to the nearest pixel outside, where
everything beyond the image is outside. A pixel outside has 0. Two exact passes: `g`, the distance along the column,
then the least (c - c')^2 + g(r, c')^2 of the row (Felzenszwalb and Huttenlocher, "Distance transforms of sampled
functions").

On a CPU each thread processes one mask (numba; Meijster's lower envelope for the second pass); on CUDA Triton kernels
process all masks without copying. OpenCV's `distanceTransform` is unsuitable: with IPP its last bits depend on the
mask's address in memory, and a resumed training run must equal an uninterrupted one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iiszoo.compiled import compiled

Array = NDArray[Any]


def squared_distances(masks: Tensor) -> Tensor:
    """Squared distances, int32, for `masks`, bool (..., H, W), in the same shape and on the same device."""
    shape = masks.shape
    flat = masks.reshape(-1, *shape[-2:]).contiguous()
    if flat.device.type == "cuda" and flat.numel() and (on_gpu := _gpu_kernel()) is not None:
        return on_gpu(flat).view(shape)
    planes = flat.cpu().numpy().view(np.uint8)
    out = np.zeros(planes.shape, np.int32)
    if len(planes) == 1:
        _squares(planes[0], out[0])
    elif len(planes):
        list(threads().map(_squares, planes, out))
    return torch.from_numpy(out).to(masks.device).view(shape)


def squared_distance(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The same for one mask, bool (H, W), as arrays."""
    out = np.zeros(mask.shape, np.int32)
    _squares(np.ascontiguousarray(mask).view(np.uint8), out)
    return out


_pools: dict[int, ThreadPoolExecutor] = {}


def threads() -> ThreadPoolExecutor:
    """This process's threads: they do not survive a fork, such as a DataLoader's worker."""
    process = os.getpid()
    if process not in _pools:
        _pools[process] = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "distance")
    return _pools[process]


@compiled
def _squares(mask: Array, out: Array) -> None:
    height, width = mask.shape
    any_pixel = False
    for c in range(width):
        run = 0
        for r in range(height):
            run = run + 1 if mask[r, c] else 0
            out[r, c] = run
        run = 0
        for r in range(height - 1, -1, -1):
            run = min(run + 1, out[r, c])
            out[r, c] = run
            any_pixel |= run > 0
    if not any_pixel:
        return
    # a column of distance 0 on each side: the border
    n = width + 2
    g = np.zeros(n, np.int64)
    sites, starts = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for r in range(height):
        some = False
        for c in range(width):
            distance = int(out[r, c])
            g[c + 1] = distance * distance
            some |= distance > 0
        if not some:
            continue
        last = 0
        sites[0], starts[0] = 0, 0
        for u in range(1, n):
            while last >= 0:
                at, site = starts[last], sites[last]
                if (at - site) * (at - site) + g[site] > (at - u) * (at - u) + g[u]:
                    last -= 1
                else:
                    break
            if last < 0:
                last = 0
                sites[0] = u
            else:
                site = sites[last]
                begin = 1 + (u * u - site * site + g[u] - g[site]) // (2 * (u - site))
                if begin < n:
                    last += 1
                    sites[last], starts[last] = u, begin
        for u in range(n - 1, -1, -1):
            site = sites[last]
            if 0 < u < n - 1:
                out[r, u - 1] = (u - site) * (u - site) + g[site]
            if u == starts[last]:
                last -= 1


@functools.cache
def _gpu_kernel() -> Callable[[Tensor], Tensor] | None:
    """The Triton kernels; None, for the CPU instead, if they cannot be built or differ from the CPU's result."""
    try:
        from iiszoo.clicking._triton_distance import squared_distances_on_gpu

        generator = np.random.default_rng(0)
        mask = generator.random((2, 37, 53)) < 0.9
        mask[1, 5:30, 7:40] = True
        found = squared_distances_on_gpu(torch.from_numpy(mask).cuda()).cpu().numpy()
        right = all((found[n] == squared_distance(mask[n])).all() for n in range(2))
    except Exception:  # noqa: BLE001  Triton or its compiler may be absent or broken in many ways
        return None
    return squared_distances_on_gpu if right else None
