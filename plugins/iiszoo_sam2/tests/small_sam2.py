"""A SAM 2 small enough for tests: the real prompt encoder and mask decoder behind a narrow Hiera of five blocks."""

from __future__ import annotations

from typing import Any

from torch import nn

from iiszoo.models.synthetic_weights import fill, normal
from iiszoo_sam2.networks import sam2

OWN = {
    "pos_embed": normal(0.02),
    "pos_embed_window": normal(0.2),
    "no_memory_embedding": normal(0.2),
    "positional_embedding": normal(1.0),
    "*_token.weight": normal(0.5),
    "mask_tokens.weight": normal(0.5),
    "*_embed.weight": normal(0.5),
}
"""How entries with SAM 2's own names are drawn."""


def empty() -> nn.Module:
    network: nn.Module = sam2(8, [1, 1, 2, 1], 1, 7, [8, 4, 14, 7], [3])
    return network


def small_sam2() -> Any:
    """Synthetic weights, large enough in the end that clicks change the masks."""
    network: Any = fill(empty(), own=OWN)
    network.prompt_encoder.shared_embedding.positional_embedding = network.shared_image_embedding.positional_embedding
    for head in network.mask_decoder.output_hypernetworks_mlps:
        head.proj_out.weight.data *= 8
    return network.eval().requires_grad_(False)
