"""SAM's encoder and decoder on torch: segment-anything's own modules, called without its predictor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from iiszoo.models.compute import Compute
from iiszoo.models.exactness import tf32
from iiszoo_sam.attention import fuse_attention
from iiszoo_sam.graphs import ENCODER


class TorchBackend:
    """`sam` is a module with `image_encoder`, `prompt_encoder` and `mask_decoder`, their weights loaded.

    `compute` is about the encoder; the decoder, which is cheap, stays in float32, without TF32.
    """

    def __init__(self, sam: Any, compute: Compute) -> None:
        self.device = compute.device
        sam = sam.to(self.device).eval().requires_grad_(False)
        fuse_attention(sam.image_encoder)
        self._encoder = compute.network(sam.image_encoder, ENCODER)
        self._prompt_encoder = sam.prompt_encoder
        self._decoder = sam.mask_decoder
        self._dense_pe: Tensor = self._prompt_encoder.get_dense_pe()

    def encode(self, frame: Tensor) -> Tensor:
        """See `iiszoo_sam.model.Backend`."""
        embedding: Tensor = self._encoder(frame.to(self.device))
        return embedding

    def decode(self, embedding: Tensor, coords: Tensor, labels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        with tf32(False):
            sparse, no_mask = self._prompt_encoder(points=(coords, labels), boxes=None, masks=None)
            dense = no_mask if masks is None else self._prompt_encoder.mask_downscaling(masks)
            return candidates(self._decoder, embedding, self._dense_pe, sparse, dense)


def candidates(
    decoder: Any, embedding: Tensor, dense_pe: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """All candidates of B prompts on B images: logits (B, 4, 256, 256), predicted IoU (B, 4).

    segment-anything's `MaskDecoder.predict_masks` (dca509f) takes many prompts on one image; this takes one prompt per
    image, and is the same for B = 1. `embedding`, `dense` (B, 256, 64, 64), `dense_pe` (1, 256, 64, 64), `sparse`
    (B, N, 256).
    """
    n = embedding.shape[0]
    learned = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([learned.expand(n, -1, -1), sparse], dim=1)
    tokens, image = decoder.transformer(embedding + dense, dense_pe.expand(n, -1, -1, -1), tokens)
    quality: Tensor = decoder.iou_prediction_head(tokens[:, 0])
    pixels = decoder.output_upscaling(image.transpose(1, 2).reshape(embedding.shape))
    weights = torch.stack([mlp(tokens[:, 1 + k]) for k, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1)
    return torch.einsum("bkc,bchw->bkhw", weights, pixels), quality
