"""An HQ-SAM small enough for tests: the real prompt encoder and mask decoder with a one-block encoder."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from segment_anything.build_sam import _build_sam

from iiszoo_samhq.network import with_hq_decoder

_WIDTH = 16
_build = partial(
    _build_sam,
    encoder_embed_dim=_WIDTH,
    encoder_depth=1,
    encoder_num_heads=1,
    encoder_global_attn_indexes=[0],
)


def small_samhq(seed: int = 0) -> Any:
    """Synthetic weights, drawn by torch from `seed`; large enough that clicks change the masks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sam: Any = with_hq_decoder(_build, _WIDTH)
        for mlp in (*sam.mask_decoder.output_hypernetworks_mlps, sam.mask_decoder.hf_mlp):
            mlp.layers[-1].weight.data *= 30
    return sam.eval()
