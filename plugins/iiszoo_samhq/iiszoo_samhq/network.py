"""HQ-SAM's networks: SAM's, with a decoder that has one more output token and features for it.

Names, numbers and rules follow SysCV/sam-hq at commit fb181f8 (`segment_anything`, not `sam-hq2`). The encoders are
segment-anything's ViT and `iiszoo_sam`'s TinyViT, unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from segment_anything import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from segment_anything.modeling import MaskDecoder, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.mask_decoder import MLP
from torch import Tensor, nn

from iiszoo_sam.checkpoints import MobileSam
from iiszoo_sam.tiny_vit import TinyViT

_WIDTH = 256
"""Channels of SAM's image embedding and of its tokens."""


class HqMaskDecoder(MaskDecoder):  # type: ignore[misc]
    """SAM's decoder with HQ-SAM's own parameters; `iiszoo_samhq.decoder` uses them.

    `channels`: of the encoder's early features.
    """

    def __init__(self, channels: int) -> None:
        transformer = TwoWayTransformer(depth=2, embedding_dim=_WIDTH, num_heads=8, mlp_dim=2048)
        super().__init__(transformer_dim=_WIDTH, transformer=transformer)
        self.hf_token = nn.Embedding(1, _WIDTH)
        self.hf_mlp = MLP(_WIDTH, _WIDTH, _WIDTH // 8, 3)
        self.compress_vit_feat = _four_times(channels, _WIDTH)
        self.embedding_encoder = _four_times(_WIDTH, _WIDTH // 4)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(_WIDTH // 8, _WIDTH // 4, 3, padding=1),
            LayerNorm2d(_WIDTH // 4),
            nn.GELU(),
            nn.Conv2d(_WIDTH // 4, _WIDTH // 8, 3, padding=1),
        )


def _four_times(channels: int, hidden: int) -> nn.Sequential:
    """(B, channels, 64, 64) -> (B, 32, 256, 256)."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels, hidden, 2, stride=2),
        LayerNorm2d(hidden),
        nn.GELU(),
        nn.ConvTranspose2d(hidden, _WIDTH // 8, 2, stride=2),
    )


class HqEncoder(nn.Module):
    """The encoder, and what HQ-SAM's decoder needs of the image alone."""

    def __init__(self, image_encoder: nn.Module, mask_decoder: HqMaskDecoder) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.embedding_encoder = mask_decoder.embedding_encoder
        self.compress_vit_feat = mask_decoder.compress_vit_feat

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 1024, 1024) -> embedding (B, 256, 64, 64), HQ features (B, 32, 256, 256)."""
        embedding, early = with_early_features(self.image_encoder, frame)
        return embedding, self.embedding_encoder(embedding) + self.compress_vit_feat(early)


def with_early_features(encoder: Any, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Embedding (B, 256, 64, 64) and early features (B, C, 64, 64) of frames (B, 3, 1024, 1024).

    A ViT's are the output of its *first* block with global attention, a TinyViT's that of its second stage.
    """
    if isinstance(encoder, TinyViT):
        stages = encoder.stages(frame)
        return encoder.neck(stages[-1]), stages[1]
    early = None
    x = encoder.patch_embed(frame) + encoder.pos_embed
    for block in encoder.blocks:
        x = block(x)
        if early is None and block.window_size == 0:
            early = x
    assert early is not None, "a ViT of SAM has blocks with global attention"
    return encoder.neck(x.permute(0, 3, 1, 2)), early.permute(0, 3, 1, 2)


def with_hq_decoder(build: Callable[[], nn.Module], channels: int) -> nn.Module:
    """The SAM that `build` returns, with HQ-SAM's decoder for early features of so many channels."""
    sam = build()
    sam.mask_decoder = HqMaskDecoder(channels)
    return sam


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "samhq/vit-b": partial(with_hq_decoder, build_sam_vit_b, 768),
    "samhq/vit-l": partial(with_hq_decoder, build_sam_vit_l, 1024),
    "samhq/vit-h": partial(with_hq_decoder, build_sam_vit_h, 1280),
    "samhq/tiny": partial(with_hq_decoder, MobileSam, 160),
}
"""By model id: an empty network, whose state-dict keys are those of the official file."""
