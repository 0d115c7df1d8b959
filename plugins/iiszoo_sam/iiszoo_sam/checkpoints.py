"""SAM's networks and their checkpoints: built empty, filled strictly, and told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from segment_anything import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from iiszoo import assets
from iiszoo.errors import WeightsError
from iiszoo.models.checkpoints import find_state_dict
from iiszoo_sam.tiny_vit import TinyViT


class MobileSam(nn.Module):
    """MobileSAM (arXiv 2306.14289): a TinyViT encoder, and the prompt encoder and mask decoder of SAM."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = TinyViT()
        self.prompt_encoder = PromptEncoder(
            embed_dim=256, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=16
        )
        self.mask_decoder = MaskDecoder(
            transformer_dim=256,
            transformer=TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048),
            num_multimask_outputs=3,
        )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "sam/vit-b": build_sam_vit_b,
    "sam/vit-l": build_sam_vit_l,
    "sam/vit-h": build_sam_vit_h,
    "sam/mobile": MobileSam,
}
"""By model id: an empty network, whose state-dict keys are those of the official file."""

_WIDTHS = {768: "sam/vit-b", 1024: "sam/vit-l", 1280: "sam/vit-h"}


def load_sam(model: str, file: str | Path) -> nn.Module:
    """The network of a model id with the weights of `file`, strictly: every entry, and no other.

    `file` holds a state dict, as `iiszoo.models.checkpoints` finds one. The weights are not copied: a ViT-H takes
    2.6 GB of memory while it is loaded, not twice that. Raises `WeightsError`, which says so where the file is another
    variant's or none of SAM's.
    """
    content = assets.load_checkpoint(file)
    # On the meta device nothing is filled in that would be overwritten. MobileSAM's constants are no part of its files.
    with torch.device("cpu" if model == "sam/mobile" else "meta"):
        network = NETWORKS[model]()
    checkpoint = find_state_dict(content, file, network.state_dict(), model)
    found = identify(checkpoint.state)
    if found is None:
        raise WeightsError(
            f"checkpoint {file} is none of SAM's: it has no entry image_encoder.pos_embed of a known width, nor one of "
            f"MobileSAM's encoder; give a file of {model}"
        )
    if found != model:
        raise WeightsError(f"checkpoint {file} holds the weights of {found}, not of {model}; use --model {found}")
    checkpoint.put_into(network, model)
    return network.float()


def identify(state: Any) -> str | None:
    """The id of the model whose state dict this is, by the shape of its encoder's first entries; None for no SAM."""
    if not isinstance(state, dict):
        return None
    position = state.get("image_encoder.pos_embed")
    if isinstance(position, Tensor) and position.dim() == 4:
        return _WIDTHS.get(position.shape[-1])
    return "sam/mobile" if "image_encoder.patch_embed.seq.0.c.weight" in state else None
