"""SAM's prompt encoder and mask decoder in one module: candidates of many sessions at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from iiszoo.models.runtime import Graph
from iiszoo_sam.graphs import DECODER, ENCODER
from iiszoo_sam.preprocess import FRAME

Encoding = Mapping[str, Tensor]
"""What a decoder needs of B images, by name: tensors with leading axis B."""


class Decoder(nn.Module):
    """`prompt_encoder` and `mask_decoder` are segment-anything's. `ENCODER` is the graph of the encoder whose outputs
    it takes, `GRAPH` its own.
    """

    ENCODER: ClassVar[Graph] = ENCODER
    GRAPH: ClassVar[Graph] = DECODER
    dense_pe: Tensor

    def __init__(self, prompt_encoder: Any, mask_decoder: Any) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = prompt_encoder, mask_decoder
        self.register_buffer("dense_pe", prompt_encoder.get_dense_pe())

    def candidates(self, image: Encoding, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """All candidates of B prompts on B images: logits (B, 4, 256, 256), predicted IoU (B, 4).

        segment-anything's `MaskDecoder.predict_masks` (dca509f) takes many prompts on one image; this takes one prompt
        per image, and is the same for B = 1. `image` has the `embedding`, (B, 256, 64, 64); `sparse` (B, N, 256),
        `dense` (B, 256, 64, 64).
        """
        decoder = self.mask_decoder
        learned = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens, pixels = self.attend(learned, image["embedding"], sparse, dense)
        quality: Tensor = decoder.iou_prediction_head(tokens[:, 0])
        return masks(decoder.output_hypernetworks_mlps, tokens[:, 1:], pixels), quality

    def attend(self, learned: Tensor, embedding: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """The two-way transformer: tokens (B, K + N, 256), the first K in place of the `learned` (K, 256), and the
        upscaled image (B, 32, 256, 256).
        """
        n = embedding.shape[0]
        tokens = torch.cat([learned.expand(n, -1, -1), sparse], dim=1)
        tokens, image = self.mask_decoder.transformer(embedding + dense, self.dense_pe.expand(n, -1, -1, -1), tokens)
        pixels: Tensor = self.mask_decoder.output_upscaling(image.transpose(1, 2).reshape(embedding.shape))
        return tokens, pixels

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs of `GRAPH`, in its order, to `candidates`; without branches on values, which tracing would fix."""
        *encoded, coords, labels, mask, has_mask = inputs
        prompts = self.prompt_encoder
        given = has_mask[:, None, None, None]
        no_mask = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = prompts.mask_downscaling(mask) * given + no_mask * (1 - given)
        image = dict(zip(self.ENCODER.outputs, encoded, strict=True))
        return self.candidates(image, self._points(coords, labels), dense)

    def _points(self, coords: Tensor, labels: Tensor) -> Tensor:
        """`PromptEncoder._embed_points` with its padding point (segment-anything dca509f): (B, N + 1, 256)."""
        prompts = self.prompt_encoder
        coords = torch.cat([coords + 0.5, torch.zeros_like(coords[:, :1])], dim=1) / FRAME
        labels = torch.cat([labels, torch.zeros_like(labels[:, :1]) - 1], dim=1)[..., None]
        points: Tensor = prompts.pe_layer._pe_encoding(coords) * (labels != -1)
        points = points + prompts.not_a_point_embed.weight * (labels == -1)
        for label in (0, 1):
            points = points + prompts.point_embeddings[label].weight * (labels == label)
        return points


def masks(mlps: Iterable[nn.Module], tokens: Tensor, pixels: Tensor) -> Tensor:
    """Logits (B, K, 256, 256) of tokens (B, K, ...), by a hypernetwork each, on the pixels (B, 32, 256, 256)."""
    weights = torch.stack([mlp(tokens[:, k]) for k, mlp in enumerate(mlps)], dim=1)
    return torch.einsum("bkc,bchw->bkhw", weights, pixels)


def parts(sam: Any) -> tuple[nn.Module, Decoder]:
    """Encoder and decoder of a module with `image_encoder`, `prompt_encoder` and `mask_decoder`, weights loaded."""
    return sam.image_encoder, Decoder(sam.prompt_encoder, sam.mask_decoder)
