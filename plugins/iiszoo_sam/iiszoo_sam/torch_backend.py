"""SAM's encoder and decoder on torch: segment-anything's own modules, called without its predictor."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from iiszoo_sam.options import check_precision

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchBackend:
    """`sam` is a module with `image_encoder`, `prompt_encoder` and `mask_decoder`, their weights loaded.

    `precision`: the encoder's dtype under autocast; the decoder, which is cheap, stays in float32. `compile`:
    torch.compile for the encoder. Raises `BadOption` for an unknown precision.
    """

    def __init__(self, sam: Any, device: str, precision: str = "fp32", compile: bool = False) -> None:
        check_precision(precision)
        self.device = device
        sam = sam.to(device).eval().requires_grad_(False)
        self._encoder = torch.compile(sam.image_encoder) if compile else sam.image_encoder
        self._prompt_encoder = sam.prompt_encoder
        self._decoder = sam.mask_decoder
        self._precision = _TYPES[precision]
        self._dense_pe: Tensor = self._prompt_encoder.get_dense_pe()

    def encode(self, frame: Tensor) -> Tensor:
        """See `iiszoo_sam.model.Backend`."""
        with self._autocast():
            embedding: Tensor = self._encoder(frame.to(self.device))
        return embedding.float()

    def decode(self, embedding: Tensor, coords: Tensor, labels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        sparse, no_mask = self._prompt_encoder(points=(coords, labels), boxes=None, masks=None)
        dense = no_mask if masks is None else self._prompt_encoder.mask_downscaling(masks)
        return candidates(self._decoder, embedding, self._dense_pe, sparse, dense)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision is torch.float32:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, self._precision)


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
