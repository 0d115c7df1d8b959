"""TinyViT-5M as MobileSAM's image encoder: `TinyViT`, with the parameters and names of the official `mobile_sam.pt`.

The architecture is TinyViT's (Wu et al., ECCV 2022, arXiv 2207.10666): a convolutional stem, one stage of MBConv
blocks, three stages of windowed attention, and patch merging between stages. MobileSAM (Zhang et al. 2023, arXiv
2306.14289) distils SAM's ViT-H into it, with two changes: the last merging keeps the resolution, so that the embedding
has SAM's stride of 16, and SAM's neck replaces the classifier. Names, numbers and rules follow ChaoningZhang/MobileSAM
at commit 34bbbfdface3c18e5221aa7de6032d7220c6c6a1, `mobile_sam/modeling/tiny_vit_sam.py`.

timm's `tiny_vit_5m_224` computes the same blocks but does not fit: its merging strides are fixed, every key would have
to be renamed, and it caches the attention biases of its first call in evaluation mode, so that weights loaded later are
ignored. The official code has the same problem, as it collects the biases in `.eval()`. Here they are collected from
the parameter in each forward pass, which takes well under 1 % of its time, and nothing is cached.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

_WIDTHS = (64, 128, 160, 320)
"""Channels of the four stages."""
_DEPTHS = (2, 2, 6, 2)
"""Blocks of the four stages; those of the first are convolutional, those of the others attend in windows."""
_HEADS = (2, 4, 5, 10)
_WINDOWS = (7, 7, 14, 7)
"""The sides of a stage's windows, in positions. The first stage has neither heads nor windows."""
_MERGE_STRIDES = (2, 2, 1)
"""TinyViT's last merging halves the resolution too; MobileSAM's does not."""
_EXPANSION = 4
"""Factor by which the hidden layers of an MBConv block and of an MLP are wider than their input."""
_EMBEDDING = 256
"""Channels of SAM's image embedding."""
_CLASSES = 1000


def conv_norm(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias, padded to keep the size at stride 1, and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(c=conv, bn=nn.BatchNorm2d(outputs)))


def stem(width: int) -> nn.Sequential:
    """The image (B, 3, H, W) -> patches of 4 x 4 pixels, (B, width, H / 4, W / 4)."""
    seq = nn.Sequential(conv_norm(3, width // 2, 3, stride=2), nn.GELU(), conv_norm(width // 2, width, 3, stride=2))
    return nn.Sequential(OrderedDict(seq=seq))


def mlp(width: int) -> nn.Sequential:
    """Layer norm and two linear layers at each position of (..., width)."""
    hidden = _EXPANSION * width
    layers = {"norm": nn.LayerNorm(width), "fc1": nn.Linear(width, hidden), "act": nn.GELU()}
    return nn.Sequential(OrderedDict(**layers, fc2=nn.Linear(hidden, width)))


def stage(index: int) -> nn.Sequential:
    """The blocks of stage `index` and, except for the last stage, the patch merging before the next."""
    width = _WIDTHS[index]
    blocks: list[nn.Module] = [
        MBConv(width) if index == 0 else WindowBlock(width, _HEADS[index], _WINDOWS[index])
        for _ in range(_DEPTHS[index])
    ]
    parts: dict[str, nn.Module] = {"blocks": nn.Sequential(*blocks)}
    if index < len(_MERGE_STRIDES):
        parts["downsample"] = PatchMerging(width, _WIDTHS[index + 1], _MERGE_STRIDES[index])
    return nn.Sequential(OrderedDict(parts))


def neck() -> nn.Sequential:
    """SAM's neck: from the last stage's channels to the embedding's, at the same resolution."""
    return nn.Sequential(
        nn.Conv2d(_WIDTHS[-1], _EMBEDDING, 1, bias=False),
        LayerNorm2d(_EMBEDDING),
        nn.Conv2d(_EMBEDDING, _EMBEDDING, 3, padding=1, bias=False),
        LayerNorm2d(_EMBEDDING),
    )


def into_windows(x: Tensor, side: int) -> Tensor:
    """(B, H, W, C) -> (B * windows, side * side, C): windows, and positions within them, in row-major order.

    H and W are padded to multiples of `side` with zeros at the bottom and right.
    """
    batch, height, width, channels = x.shape
    rows, columns = _windows_along(height, side), _windows_along(width, side)
    x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
    x = x.reshape(batch, rows, side, columns, side, channels)
    return x.transpose(2, 3).reshape(-1, side * side, channels)


def from_windows(windows: Tensor, side: int, height: int, width: int) -> Tensor:
    """The inverse of `into_windows`: (B, height, width, C), without the padding."""
    rows, columns, channels = _windows_along(height, side), _windows_along(width, side), windows.shape[2]
    x = windows.reshape(-1, rows, columns, side, side, channels)
    x = x.transpose(2, 3).reshape(-1, rows * side, columns * side, channels)
    return x[:, :height, :width]


def _windows_along(length: int, side: int) -> int:
    return -(-length // side)


def offsets_in_window(side: int) -> Tensor:
    """The index of the bias for each pair of positions in a window, int64 (side * side, side * side).

    It is |row offset| * side + |column offset|, as the official code numbers offsets in order of first occurrence.
    """
    position = torch.arange(side * side, device="cpu")  # no checkpoint has it: a network built empty must
    rows, columns = position // side, position % side
    return (rows[:, None] - rows).abs() * side + (columns[:, None] - columns).abs()


class MBConv(nn.Module):
    """MobileNetV2's inverted bottleneck, with an activation also after the sum: (B, C, H, W) -> the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = _EXPANSION * width
        self.conv1 = conv_norm(width, hidden)
        self.conv2 = conv_norm(hidden, hidden, 3, groups=hidden)
        self.conv3 = conv_norm(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.conv1(x))
        y = F.gelu(self.conv2(y))
        return F.gelu(x + self.conv3(y))


class PatchMerging(nn.Module):
    """An MBConv without shortcut, to the next stage's width: (B, C, H, W) -> (B, outputs, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_norm(inputs, outputs)
        self.conv2 = conv_norm(outputs, outputs, 3, stride, groups=outputs)
        self.conv3 = conv_norm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.conv1(x))
        x = F.gelu(self.conv2(x))
        merged: Tensor = self.conv3(x)
        return merged


class Attention(nn.Module):
    """Attention among the positions of a window, with one learned bias per head and offset (as in LeViT).

    (windows, side^2, C) -> the same shape, layer norm included. Padded positions take part.
    """

    attention_bias_idxs: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, side * side))
        self.register_buffer("attention_bias_idxs", offsets_in_window(side), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        windows, positions, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(windows, positions, self.heads, 3 * width // self.heads)
        q, k, v = qkv.transpose(1, 2).chunk(3, dim=3)  # a head's query, key and value lie side by side
        # four axes: on a CPU torch uses its fast kernel only for a 4-D mask
        bias = self.attention_biases[None, :, self.attention_bias_idxs].to(q.dtype)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        attended: Tensor = self.proj(x.transpose(1, 2).flatten(2))
        return attended


class WindowBlock(nn.Module):
    """Attention in windows, a depthwise convolution across their borders, an MLP: (B, C, H, W) -> the same shape."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.attn = Attention(width, heads, side)
        self.local_conv = conv_norm(width, width, 3, groups=width)
        self.mlp = mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = x.permute(0, 2, 3, 1)
        x = x + from_windows(self.attn(into_windows(x, self.side)), self.side, height, width)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x + self.mlp(x)
        return x.permute(0, 3, 1, 2)


class TinyViT(nn.Module):
    """MobileSAM's image encoder; a strict `load_state_dict` accepts the `image_encoder` entries of the official file.

    `norm_head` and `head`, TinyViT's classifier, are in that file and therefore here; MobileSAM does not use them.
    Initial parameters are torch's defaults, meant to be overwritten, not the paper's initialisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = stem(_WIDTHS[0])
        self.layers = nn.Sequential(*(stage(i) for i in range(len(_WIDTHS))))
        self.norm_head = nn.LayerNorm(_WIDTHS[-1])
        self.head = nn.Linear(_WIDTHS[-1], _CLASSES)
        self.neck = neck()

    def forward(self, image: Tensor) -> Tensor:
        """The embedding of a preprocessed image: float32 (B, 3, 1024, 1024) -> (B, 256, 64, 64).

        The image is SAM's: RGB, its longer side resized to 1024, normalised, padded with zeros at the bottom and right.
        Other H and W that are multiples of 16 give (B, 256, H / 16, W / 16), but no network was trained on them.
        """
        embedding: Tensor = self.neck(self.stages(image)[-1])
        return embedding

    def stages(self, image: Tensor) -> list[Tensor]:
        """The outputs of the four stages, each with the merging that follows it, of the same image: (B, C, h, w), C
        being 128, 160, 320 and 320, with strides of 8 and then 16.
        """
        # channels last, which the window blocks produce anyway: a fifth faster on a CPU
        x = self.patch_embed(image.contiguous(memory_format=torch.channels_last))
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs
