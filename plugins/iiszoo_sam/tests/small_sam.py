"""A SAM small enough for tests: the real prompt encoder and mask decoder with a one-block encoder."""

from __future__ import annotations

from typing import Any

import torch
from segment_anything.build_sam import _build_sam


def small_sam(seed: int = 0) -> Any:
    """Synthetic weights, drawn by torch from `seed`; large enough that clicks change the masks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sam = _build_sam(encoder_embed_dim=16, encoder_depth=1, encoder_num_heads=2, encoder_global_attn_indexes=[])
        for mlp in sam.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.data *= 30
    return sam.eval()
