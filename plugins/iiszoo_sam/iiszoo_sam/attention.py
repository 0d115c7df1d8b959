"""Attention with relative positions by torch's fused kernel, for segment-anything's image encoder.

Its own forms the map of all pairs three times, in float32 3 x 800 MB for a whole frame of SAM ViT-B; and it copies its
table of positions to the GPU at each call, which a CUDA graph cannot contain.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RelativeAttention(nn.Module):
    """`segment_anything.modeling.image_encoder.Attention` (dca509f), with its weights: (B, H, W, C) -> (B, H, W, C),
    H and W being those that it was built for.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.qkv, self.proj = attention.qkv, attention.proj
        self.register_buffer("rows", _by_pair(attention.rel_pos_h))
        self.register_buffer("columns", _by_pair(attention.rel_pos_w))

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        by_place = q.reshape(n, self.heads, height, width, -1)
        down = torch.einsum("bnhwc,hkc->bnhwk", by_place, self.rows)
        across = torch.einsum("bnhwc,wkc->bnhwk", by_place, self.columns)
        bias = (down[..., :, None] + across[..., None, :]).reshape(n, self.heads, height * width, height * width)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        answer: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, height, width, -1))
        return answer


def _by_pair(offsets: Tensor) -> Tensor:
    """From the embeddings of the offsets -(n - 1) to n - 1, (2 n - 1, C), those of query and key: (n, n, C)."""
    at = torch.arange((len(offsets) + 1) // 2, device=offsets.device)
    return offsets.detach()[at[:, None] - at + len(at) - 1]


def fuse_attention(encoder: nn.Module) -> None:
    """Put `RelativeAttention` in the place of the encoder's attention, where it has positions."""
    for part in encoder.modules():
        attention = getattr(part, "attn", None)
        if getattr(attention, "use_rel_pos", False):
            part.attn = RelativeAttention(attention)
