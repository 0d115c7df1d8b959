"""Encodings: clicks as maps that a network can read, `(B, 2, H, W)`, the positive clicks and the negative ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Click = tuple[float, float]
"""(row, col) in pixels of the map. Pixel centres are whole numbers; clicks need not be: in a zoom they are not."""
Clicks = Sequence[Sequence[Sequence[Click]]]
"""Indexed [interaction][batch element][click]."""


def disk(
    pcs: Clicks,
    ncs: Clicks,
    size: tuple[int, int],
    radius: float = 5,
    *,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Disks round all clicks: 1 where the distance to a click is at most `radius`, 0 elsewhere, clipped at the image.

    Args:
        pcs, ncs: positive and negative clicks of all interactions, (row, col) in pixels of the map, unrounded or not.
            Of a click beyond the map there is the part of its disk that reaches in; but one with both coordinates below
            0 is left out, as upstream writes "no click" that way.
        size: (H, W) of the maps, for example `x.shape[-2:]`.
        radius: in pixels, 0 or more. A pixel belongs to the disk where d^2 <= radius^2, in float32.
        batch_size: B, needed only where `pcs` and `ncs` hold no interaction that would tell.

    Returns:
        `dtype` tensor (B, 2, H, W) of 0 and 1 on `device`: positive, negative. The same bits as upstream's.

    ValueError where the batch size is not known or not the same everywhere.

    Source: `DistMaps` with `use_disks` (`isegm/model/ops.py`; its `norm_radius * spatial_scale` is `radius`) of RITM
    (arXiv 2102.06583), SamsungLabs/ritm_interactive_segmentation at b9b4460. It takes the distance of every pixel to
    every click; here only the pixels in a square round each click are looked at.
    """
    height, width = size
    elements = _batch_size(pcs, ncs, batch_size)
    points: list[Click] = []
    planes: list[int] = []
    for channel, clicks in enumerate((pcs, ncs)):
        for interaction in clicks:
            for b, element in enumerate(interaction):
                for row, col in element:
                    if row >= 0 or col >= 0:
                        points.append((row, col))
                        planes.append(2 * b + channel)
    maps = torch.zeros((elements, 2, height, width), dtype=dtype, device=device)
    if not points or not maps.numel():
        return maps

    at = torch.tensor(points, dtype=torch.float32, device=device)
    # Every row and column within `radius` of a click; it may lie half a pixel away from the middle of the square.
    reach = math.ceil(radius) + 1
    offsets = torch.arange(-reach, reach + 1, device=device)
    pixels = at.round().long()[:, :, None] + offsets  # (N, 2, S): rows, columns
    # float32, and in upstream's order of operations, so that a pixel on the circle falls on the same side.
    squares = (pixels - at[:, :, None]).square_()
    inside = squares[:, 0, :, None] + squares[:, 1, None, :] <= radius**2  # (N, S, S)
    rows, columns = pixels[:, 0, :, None], pixels[:, 1, None, :]
    inside &= ((rows >= 0) & (rows < height)) & ((columns >= 0) & (columns < width))
    plane = torch.tensor(planes, device=device)[:, None, None]
    maps.view(-1)[((plane * height + rows) * width + columns)[inside]] = 1
    return maps


def _batch_size(pcs: Clicks, ncs: Clicks, batch_size: int | None) -> int:
    sizes = {len(interaction) for clicks in (pcs, ncs) for interaction in clicks}
    if batch_size is not None:
        sizes.add(batch_size)
    if len(sizes) > 1:
        raise ValueError(f"clicks of batches of different sizes: {sorted(sizes)}")
    if not sizes:
        raise ValueError("without any interaction the clicks do not tell the batch size: give batch_size")
    return sizes.pop()
