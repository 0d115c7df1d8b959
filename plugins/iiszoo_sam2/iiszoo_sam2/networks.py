"""The untrained networks, transformers' own, by model id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn
from transformers import (
    EdgeTamConfig,
    EdgeTamModel,
    EdgeTamVisionConfig,
    Sam2Config,
    Sam2Model,
    Sam2VisionConfig,
    TimmWrapperConfig,
)


def sam2(width: int, blocks: list[int], heads: int, background: int, windows: list[int], attending: list[int]) -> Any:
    """SAM 2.1's image network with a Hiera encoder, as in the yaml files of sam2 2b90b9f, `sam2/configs/sam2.1`.

    `width` and `heads` are those of the first of four stages; both double from stage to stage. `background` is the side
    of the position embedding that is shared by all windows (`window_pos_embed_bkg_spatial_size`), `windows` the sides
    of the stages' windows, `attending` the numbers of the blocks that attend globally.
    """
    widths = [width << stage for stage in range(4)]
    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": width,
        "num_attention_heads": heads,
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [heads << stage for stage in range(4)],
        "window_positional_embedding_background_size": [background, background],
        "window_size_per_stage": windows,
        "global_attention_blocks": attending,
    }
    return Sam2Model(
        Sam2Config(vision_config=Sam2VisionConfig(backbone_config=hiera, backbone_channel_list=widths[::-1]))
    )


def edgetam() -> Any:
    """EdgeTAM's image network: timm's RepViT-M1 and SAM 2's decoder (EdgeTAM 9cc44bf, `sam2/configs/edgetam.yaml`)."""
    stages = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    repvit = TimmWrapperConfig(architecture="repvit_m1", model_args=stages, do_pooling=False)
    return EdgeTamModel(EdgeTamConfig(vision_config=EdgeTamVisionConfig(backbone_config=repvit)))


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "sam2/tiny": partial(sam2, 96, [1, 2, 7, 2], 1, 7, [8, 4, 14, 7], [5, 7, 9]),
    "sam2/small": partial(sam2, 96, [1, 2, 11, 2], 1, 7, [8, 4, 14, 7], [7, 10, 13]),
    "sam2/base-plus": partial(sam2, 112, [2, 3, 16, 3], 2, 14, [8, 4, 14, 7], [12, 16, 20]),
    "sam2/large": partial(sam2, 144, [2, 6, 36, 4], 2, 7, [8, 4, 16, 8], [23, 33, 43]),
    "edgetam/edgetam": edgetam,
}
