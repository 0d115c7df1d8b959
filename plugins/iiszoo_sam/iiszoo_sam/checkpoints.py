"""SAM's networks and their checkpoints: built empty, identified, and loaded strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """MobileSAM (arXiv 2306.14289): a TinyViT encoder with SAM's prompt encoder and mask decoder."""

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

_WIDTHS = {768: "vit-b", 1024: "vit-l", 1280: "vit-h"}


def load_sam(model: str, file: str | Path, networks: Mapping[str, Callable[[], nn.Module]] = NETWORKS) -> nn.Module:
    """The network of a model id with the weights of `file`; strict: every entry, and no others.

    `networks` has the empty network of the id. `file` contains a state dict, as `iiszoo.models.checkpoints` finds it.
    The weights are not copied: loading a ViT-H takes 2.6 GB of memory, not twice that. Raises `WeightsError`, which
    states whether the file belongs to another variant or family, or not to SAM at all.
    """
    content = assets.load_checkpoint(file)
    with torch.device("meta"):  # avoids initialising what is then overwritten
        network = networks[model]()
    checkpoint = find_state_dict(content, file, network.state_dict(), model)
    found = identify(checkpoint.state)
    if found is None:
        raise WeightsError(f"checkpoint {file} {_instead(checkpoint.state)}; give a file of {model}")
    if found != model:
        raise WeightsError(f"checkpoint {file} has the weights of {found}, not of {model}; use --model {found}")
    checkpoint.put_into(network, model)
    return network.float()


def identify(state: Any) -> str | None:
    """The model id of a state dict, by the shape of its encoder's first entries, and by HQ-SAM's token; None if it is
    not SAM's.
    """
    if not isinstance(state, dict):
        return None
    family, tiny = ("samhq", "tiny") if "mask_decoder.hf_token.weight" in state else ("sam", "mobile")
    position = state.get("image_encoder.pos_embed")
    if isinstance(position, Tensor) and position.dim() == 4:
        variant = _WIDTHS.get(position.shape[-1])
    else:
        variant = tiny if "image_encoder.patch_embed.seq.0.c.weight" in state else None
    return f"{family}/{variant}" if variant else None


def _instead(state: Mapping[str, Tensor]) -> str:
    """What a state dict is that is not SAM's."""
    if any(name.startswith("image_encoder.trunk.") for name in state):
        return "is of SAM 2 or HQ-SAM 2, other networks"
    if any(name.startswith("vision_encoder.") for name in state):
        return "has the names of transformers, not those of the official file"
    return (
        "is not a SAM checkpoint: it has no entry image_encoder.pos_embed of a known width, nor one of MobileSAM's "
        "encoder"
    )
