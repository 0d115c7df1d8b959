"""A plain, single-scale ViT whose blocks attend within windows, except a few that see the whole image.

SimpleClick, CFR-ICL and SegNext have it as their backbone. Source: ViTDet (arXiv 2203.16527), on which SimpleClick
(arXiv 2210.11006) is based; `models_vit.py` and `pos_embed.py` in `isegm/model/modeling/` of uncbiag/SimpleClick at
f33112e, and of uncbiag/SegNext at 4c45ce8. Differences from the usual defaults: no class token and no norm at the end;
LayerNorms have eps 1e-6; the *number* of windows follows from the size, and their side from that number.

Parameter names are the official ones.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from iiszoo.models.windows import Grid, ViTSizes, grid_of, windows_of


def split_windows(tokens: Tensor, grid: Grid, windows: Grid) -> Tensor:
    """(N, rows * columns of `grid`, C) -> (N * number of windows, tokens of one, C)."""
    (rows, columns), (down, across) = grid, windows
    n, _, channels = tokens.shape
    parts = tokens.reshape(n, down, rows // down, across, columns // across, channels).transpose(2, 3)
    return parts.reshape(n * down * across, -1, channels)


def join_windows(tokens: Tensor, grid: Grid, windows: Grid) -> Tensor:
    """The inverse of `split_windows`."""
    (rows, columns), (down, across) = grid, windows
    channels = tokens.shape[2]
    parts = tokens.reshape(-1, down, across, rows // down, columns // across, channels).transpose(2, 3)
    return parts.reshape(-1, rows * columns, channels)


def block(dim: int, heads: int, eps: float) -> Block:
    """A transformer block on tokens (N, L, `dim`): attention, then an MLP of four times the width; its norms come
    first and have this `eps`.
    """
    norm: Any = partial(nn.LayerNorm, eps=eps)
    return Block(dim, heads, qkv_bias=True, norm_layer=norm)


class WindowedViT(nn.Module):
    """Image and further embeddings -> one feature map at the resolution of the patches."""

    def __init__(self, sizes: ViTSizes) -> None:
        super().__init__()
        self.patch = sizes.patch
        self.global_every = sizes.global_every
        self.trained_grid = grid_of((sizes.trained, sizes.trained), sizes.patch)
        # The first position is the class token's, used only in pre-training.
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.trained_grid[0] * self.trained_grid[1], sizes.dim))
        self.patch_embed = PatchEmbed(None, sizes.patch, 3, sizes.dim)
        self.blocks = nn.ModuleList(block(sizes.dim, sizes.heads, eps=1e-6) for _ in range(sizes.depth))

    def forward(self, image: Tensor, others: Tensor | None = None) -> Tensor:
        """Features (N, C, rows, columns) of a normalised image (N, 3, H, W); `others` (N, rows * columns, C) are added
        to its patches. Raises `BadOption` for a size that does not divide into windows (`windows_of`).
        """
        size = (image.shape[2], image.shape[3])
        grid, windows = grid_of(size, self.patch), windows_of(size, self.patch)
        tokens: Tensor = self.patch_embed(image)
        tokens = (tokens if others is None else tokens + others) + self.positions(grid)
        for first in range(0, len(self.blocks), self.global_every):
            *windowed, last = self.blocks[first : first + self.global_every]
            tokens = split_windows(tokens, grid, windows)
            for each in windowed:
                tokens = each(tokens)
            tokens = last(join_windows(tokens, grid, windows))
        return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], *grid)

    def positions(self, grid: Grid) -> Tensor:
        """The position embedding (1, rows * columns, C), resized for a grid other than the training grid."""
        trained = self.pos_embed[:, 1:]
        return trained if grid == self.trained_grid else _resized(trained, self.trained_grid, grid)


def resized_positions(positions: Tensor, grid: Grid) -> Tensor:
    """A position embedding (1, 1 + side^2, C) of a square grid, the first of the class token, for another grid."""
    side = math.isqrt(positions.shape[1] - 1)
    if (side, side) == grid or side * side != positions.shape[1] - 1:
        return positions
    return torch.cat((positions[:, :1], _resized(positions[:, 1:], (side, side), grid)), dim=1)


def _resized(positions: Tensor, before: Grid, grid: Grid) -> Tensor:
    maps = positions.transpose(1, 2).reshape(1, -1, *before)
    return F.interpolate(maps, grid, mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
