"""The network's two parts as iiszoo runs and exports them: the encoder once per image, the decoder at every click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo.models.imagenet import normalise
from iiszoo.models.runtime import Graph, Values
from iiszoo_sam2.frame import FRAME, LOW_RES

Features = tuple[Tensor, Tensor, Tensor]
"""Of B images, float32: the embedding (B, 256, 64, 64), and finer features (B, 64, 128, 128), (B, 32, 256, 256)."""
SHAPES = {"embedding": (256, 64, 64), "fine": (64, 128, 128), "finest": (32, 256, 256)}

ENCODER = Graph(
    "encoder",
    {
        "frame": Values(
            (1, 3, FRAME, FRAME), "RGB in [0, 1], both sides resized to 1024 bilinearly with antialiasing, no padding"
        )
    },
    {name: Values((1, *shape), "serves all clicks on the image") for name, shape in SHAPES.items()},
    {},
    {"input_size": [FRAME, FRAME]},
    Path(__file__).with_name("onnx_example.py"),
)
DECODER = Graph(
    "decoder",
    {
        **{name: Values(("batch", *shape), "the encoder's output") for name, shape in SHAPES.items()},
        "points": Values(
            ("batch", "points", 3), "clicks as (x, y, label): pixels of the frame; 1 positive, 0 negative"
        ),
        "mask": Values(("batch", 1, LOW_RES, LOW_RES), "logits of the previous answer within -32 .. 32, or 0"),
        "has_mask": Values(("batch",), "1 if there is a previous answer, else 0"),
    },
    {
        "logits": Values(("batch", 4, LOW_RES, LOW_RES), "of the whole frame: the single mask, then three candidates"),
        "quality": Values(("batch", 4), "predicted IoU of each"),
    },
    {"batch": 2, "points": 3},
    {"encoding": "points"},
)


class Encoder(nn.Module):
    """Frames (B, 3, 1024, 1024), RGB in [0, 1] -> `Features`, with "no memory" added to the embedding."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.vision_encoder = network.vision_encoder
        self.finer = nn.ModuleList([network.mask_decoder.conv_s1, network.mask_decoder.conv_s0])
        self.no_memory = network.no_memory_embedding

    def forward(self, frame: Tensor) -> Features:
        finest, fine, embedding = self.vision_encoder(normalise(frame)).fpn_hidden_states
        to_fine, to_finest = self.finer
        return embedding + self.no_memory.reshape(1, -1, 1, 1), to_fine(fine), to_finest(finest)


class Decoder(nn.Module):
    """Prompts and features of B sessions -> all four candidates, see `DECODER`.

    transformers' `mask_decoder` returns the single mask or the three others; which it shall be is decided here
    afterwards (`iiszoo_sam2.model`), so its modules are called one by one. There is no branch on the prompts' values:
    sessions with and without mask share a call, and tracing for export fixes nothing.
    """

    positions: Tensor

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = network.prompt_encoder, network.mask_decoder
        self.register_buffer("positions", network.get_image_wide_positional_embeddings())

    def forward(
        self, embedding: Tensor, fine: Tensor, finest: Tensor, points: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, 4, 256, 256) and predicted IoU (B, 4)."""
        prompts, decoder = self.prompt_encoder, self.mask_decoder
        n = embedding.shape[0]
        clicks, _ = prompts(points[:, None, :, :2], points[:, None, :, 2].long(), None, None)
        learned = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight])
        no_mask = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = torch.where(has_mask[:, None, None, None] > 0.5, prompts.mask_embed(mask), no_mask)
        tokens, image = decoder.transformer(
            point_embeddings=torch.cat([learned.expand(n, 1, -1, -1), clicks], dim=2),
            image_embeddings=embedding + dense,
            image_positional_embeddings=self.positions.expand(n, -1, -1, -1),
            attention_similarity=None,
        )
        pixels = decoder.upscale_conv1(image.transpose(2, 3).reshape(embedding.shape)) + fine
        pixels = decoder.upscale_conv2(decoder.activation(decoder.upscale_layer_norm(pixels))) + finest
        heads = decoder.output_hypernetworks_mlps
        weights = torch.stack([head(tokens[:, 0, 2 + k]) for k, head in enumerate(heads)], dim=1)
        logits = weights @ decoder.activation(pixels).flatten(2)
        quality: Tensor = decoder.iou_prediction_head(tokens[:, 0, 1])
        return logits.reshape(n, -1, LOW_RES, LOW_RES), quality
