"""SAM's encoder and decoder as two exported networks on onnxruntime (`iiszoo.models.runtime`)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from iiszoo.models.runtime import ONNX, run_on
from iiszoo_sam.graphs import DECODER, ENCODER
from iiszoo_sam.preprocess import FRAME, LOW_RES
from iiszoo_sam.torch_backend import candidates


class ExportedBackend:
    """`sam` is a module with `image_encoder`, `prompt_encoder` and `mask_decoder`, their weights loaded; see `Backend`.

    On the CPU, in float32. Raises as `run_on`.
    """

    device = "cpu"

    def __init__(self, sam: Any) -> None:
        self._encoder = run_on(ONNX, sam.image_encoder, ENCODER)
        self._decoder = run_on(ONNX, Decoder(sam.prompt_encoder, sam.mask_decoder), DECODER)

    def encode(self, frame: Tensor) -> Tensor:
        """See `iiszoo_sam.model.Backend`."""
        embedding: Tensor = self._encoder(frame)
        return embedding

    def decode(self, embedding: Tensor, coords: Tensor, labels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `iiszoo_sam.model.Backend`."""
        n = len(embedding)
        given = torch.zeros(n, 1, LOW_RES, LOW_RES) if masks is None else masks
        answer: tuple[Tensor, Tensor] = self._decoder(
            embedding, coords, labels, given, torch.full((n,), float(masks is not None))
        )
        return answer


class Decoder(nn.Module):
    """Prompt encoder and mask decoder in one, without branches on the prompts' values, which tracing would fix."""

    dense_pe: Tensor

    def __init__(self, prompt_encoder: Any, mask_decoder: Any) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = prompt_encoder, mask_decoder
        self.register_buffer("dense_pe", prompt_encoder.get_dense_pe())

    def forward(
        self, embedding: Tensor, coords: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `DECODER`."""
        prompts = self.prompt_encoder
        given = has_mask[:, None, None, None]
        no_mask = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = prompts.mask_downscaling(mask) * given + no_mask * (1 - given)
        return candidates(self.mask_decoder, embedding, self.dense_pe, self._points(coords, labels), dense)

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
