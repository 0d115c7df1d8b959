"""SegFormer with a side embedding for clicks: Mix Transformer and all-MLP head, with ClickSEG's parameter names.

    clicks and mask -> patch_embed_side1 --+
                                           |
    image -> stage 1 -> c1 ----------------+-> stage 2 -> c2 -> stage 3 -> c3 -> stage 4 -> c4
                                                                (c1, c2, c3, c4) -> head -> logits, features

For inference: stochastic depth and dropout, used in training, are left out.

Source: SegFormer (arXiv 2105.15203); `isegm/model/modeling/segformer/` of alibaba/ClickSEG at d61a76b. Easily missed
rules: c1 goes to the head without the clicks; the LayerNorms of patch embeddings and of reduced keys have eps 1e-5, all
others 1e-6; GELU is the exact one; the head's maps are enlarged with align_corners=False.

If the inputs are channels-last, so are all maps, and tokens (B, H W, C) and maps (B, C, H, W) are views of the same
memory: nothing is copied between linear layers and convolutions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = (1, 2, 5, 8)
"""Attention heads of the four stages."""
REDUCTIONS = (8, 4, 2, 1)
"""How much coarser keys and values are than queries, along each side."""
MLP_RATIO = 4


def to_tokens(maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H W, C)."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def to_maps(tokens: Tensor, size: Sequence[int]) -> Tensor:
    """(B, H W, C) -> (B, C, H, W), channels-last also in the order of its strides, which torch checks if B is 1."""
    return tokens.reshape(tokens.shape[0], *size, -1).permute(0, 3, 1, 2)


class OverlapPatchEmbed(nn.Module):
    """A strided convolution with overlapping windows, LayerNorm: (B, C, H, W) -> (B, D, H / stride, W / stride)."""

    def __init__(self, in_channels: int, channels: int, window: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, channels, window, stride, window // 2)
        self.norm = nn.LayerNorm(channels)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.proj(maps)
        return to_maps(self.norm(to_tokens(maps)), maps.shape[2:])


class ReducedAttention(nn.Module):
    """Self-attention whose keys and values come from a map that is `reduction` times smaller along each side."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.reduction = reduction
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        if reduction > 1:
            self.sr = nn.Conv2d(channels, channels, reduction, reduction)
            self.norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, size: Sequence[int]) -> Tensor:
        reduced = tokens
        if self.reduction > 1:
            reduced = self.norm(to_tokens(self.sr(to_maps(tokens, size))))
        keys, values = self.kv(reduced).chunk(2, dim=2)
        queries, keys, values = (self._by_head(x) for x in (self.q(tokens), keys, values))
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        answer: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return answer

    def _by_head(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class MixFFN(nn.Module):
    """The MLP of a block, with a 3 x 3 depthwise convolution in the middle that encodes a token's position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = MLP_RATIO * channels
        self.fc1 = nn.Linear(channels, hidden)
        self.dwconv = nn.Sequential(OrderedDict(dwconv=nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)))
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, tokens: Tensor, size: Sequence[int]) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # onnxruntime turns maps of a quarter of the channels into its own order
            maps = F.conv2d(to_maps(tokens, size), self.fc1.weight[:, :, None, None], self.fc1.bias)
        else:
            maps = to_maps(self.fc1(tokens), size)
        hidden = to_tokens(self.dwconv(maps))
        answer: Tensor = self.fc2(F.gelu(hidden))
        return answer


class Block(nn.Module):
    """Attention and MLP, each with a norm before it and a residual connection: (B, H W, C) -> (B, H W, C)."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = ReducedAttention(channels, heads, reduction)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = MixFFN(channels)

    def forward(self, tokens: Tensor, size: Sequence[int]) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens), size)
        answer: Tensor = tokens + self.mlp(self.norm2(tokens), size)
        return answer


class MixTransformer(nn.Module):
    """The encoder: four stages, each a patch embedding, blocks and a norm.

    `channels` and `depths` of the four stages; `side_channels`: of the side input.
    """

    def __init__(self, channels: Sequence[int], depths: Sequence[int], side_channels: int) -> None:
        super().__init__()
        before = (3, *channels)
        for i in range(4):
            window, stride = (7, 4) if i == 0 else (3, 2)
            blocks = [Block(channels[i], HEADS[i], REDUCTIONS[i]) for _ in range(depths[i])]
            self.add_module(f"patch_embed{i + 1}", OverlapPatchEmbed(before[i], channels[i], window, stride))
            self.add_module(f"block{i + 1}", nn.ModuleList(blocks))
            self.add_module(f"norm{i + 1}", nn.LayerNorm(channels[i], eps=1e-6))
        self.patch_embed_side1 = OverlapPatchEmbed(side_channels, channels[0], 7, 4)

    def forward(self, image: Tensor, side: Tensor) -> list[Tensor]:
        """(B, 3, H, W) and (B, side_channels, H, W) -> c1 to c4, (B, channels[i], H / 4, W / 4) to H / 32, W / 32."""
        c1 = self._stage(1, image)
        c2 = self._stage(2, c1 + self.patch_embed_side1(side))
        c3 = self._stage(3, c2)
        return [c1, c2, c3, self._stage(4, c3)]

    def _stage(self, number: int, maps: Tensor) -> Tensor:
        maps = self.get_submodule(f"patch_embed{number}")(maps)
        size = maps.shape[2:]
        tokens = to_tokens(maps)
        for block in self.get_submodule(f"block{number}").children():
            tokens = block(tokens, size)
        return to_maps(self.get_submodule(f"norm{number}")(tokens), size)


class LinearEmbedding(nn.Module):
    """A linear layer, with its name in the checkpoints."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, channels)


class LinearFuse(nn.Module):
    """A 1 x 1 convolution followed by BatchNorm, with their names in the checkpoints."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)


class AllMLPHead(nn.Module):
    """Every c_i embedded in `width` channels, enlarged to c1's size, concatenated, and mixed by a 1 x 1 convolution.

    Embedding and mixing are linear and per pixel, so they commute with enlarging, whose weights sum to 1: the product
    of both is applied to each c_i at its own size, and the enlarged results are added. This is the published function
    without most of its arithmetic (4 width^2 products per pixel of c1).
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.linear_c1, self.linear_c2, self.linear_c3, self.linear_c4 = (LinearEmbedding(n, width) for n in channels)
        self.linear_fuse = LinearFuse(4 * width, width)
        self.linear_pred = nn.Conv2d(width, 1, 1)

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """c1 to c4 -> logits (B, 1, h, w) and features (B, width, h, w) of c1's size."""
        embeddings = (self.linear_c1.proj, self.linear_c2.proj, self.linear_c3.proj, self.linear_c4.proj)
        mixing = self.linear_fuse.conv.weight.flatten(1).chunk(4, dim=1)[::-1]  # the concatenation begins with c4
        mixed = [
            F.conv2d(maps, (mix @ embed.weight)[:, :, None, None], mix @ embed.bias)
            for maps, embed, mix in zip(stages, embeddings, mixing, strict=True)
        ]
        total = mixed[0]
        for maps in mixed[1:]:
            total += F.interpolate(maps, total.shape[2:], mode="bilinear", align_corners=False)
        features = F.relu(self.linear_fuse.bn(total), inplace=True)
        return self.linear_pred(features), features


class SegFormer(nn.Module):
    """Encoder and head. `width`: channels of the head's features."""

    def __init__(self, channels: Sequence[int], depths: Sequence[int], width: int, side_channels: int = 3) -> None:
        super().__init__()
        self.backbone = MixTransformer(channels, depths, side_channels)
        self.decode_head = AllMLPHead(channels, width)

    def forward(self, image: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised image (B, 3, H, W), maps (B, side_channels, H, W) -> logits, features (h, w = H / 4, W / 4)."""
        answer: tuple[Tensor, Tensor] = self.decode_head(self.backbone(image, side))
        return answer
