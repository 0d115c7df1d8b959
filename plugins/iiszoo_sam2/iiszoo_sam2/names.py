"""The names of weights: transformers' network, transformers' files on the Hugging Face hub, and Meta's files.

Meta's names are those of sam2 2b90b9f and EdgeTAM 9cc44bf; transformers' those of its 5.24.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

State = Mapping[str, Tensor]
_ATTENTION = "memory_attention."
_POINTS = "prompt_encoder.point_embed.weight"
_GRID, _GRID_AGAIN = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)
"""One tensor with two names: it encodes the positions of the image's cells and of clicks."""
_META_GRID = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_LABELS = tuple(f"sam_prompt_encoder.point_embeddings.{label}.weight" for label in range(4))
"""Meta has a tensor per label: negative and positive click, a box's corners. transformers stacks them."""
_TO_META = (
    (r"^vision_encoder\.backbone\.timm_model\.", "image_encoder.trunk.body."),
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^(prompt_encoder|mask_decoder)\.", r"sam_\1."),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
    (r"\.o_proj\.", ".out_proj."),
    (r"\.mlp\.proj_in\.", ".mlp.layers.0."),
    (r"\.mlp\.proj_out\.", ".mlp.layers.1."),
    (r"(_head|_mlps\.\d)\.layers\.0\.", r"\1.layers.1."),
    (r"(_head|_mlps\.\d)\.proj_in\.", r"\1.layers.0."),
    (r"(_head|_mlps\.\d)\.proj_out\.", r"\1.layers.2."),
)


@dataclass(frozen=True)
class Naming:
    """How a kind of file names the weights.

    `in_the_file(own)`: the network's own state dict under the file's names; `in_the_network(state, own)`: a file's
    state dict under the network's, if it has all of them; `completed(state)`: a file's entries with those that its
    writer leaves out because another has the same values. `memory`: how the names of the memory modules begin;
    `since_second`: those of them that SAM 2.1 has and SAM 2.0 has not.
    """

    in_the_file: Callable[[State], dict[str, Tensor]]
    in_the_network: Callable[[State, State], dict[str, Tensor]]
    completed: Callable[[State], dict[str, Tensor]]
    memory: tuple[str, ...]
    since_second: tuple[str, ...]

    def is_memory(self, name: str) -> bool:
        return name.startswith(self.memory)

    def is_first_version(self, memory: Iterable[str]) -> bool:
        """Whether a file with these entries of memory modules is SAM 2.0's; without any, nobody can tell."""
        names = [*memory]
        return any(name.startswith(_ATTENTION) for name in names) and not any(
            name.startswith(self.since_second) for name in names
        )


def meta_name(name: str) -> str:
    """Meta's name of an entry of the network that has one of its own."""
    for pattern, meta in _TO_META:
        name = re.sub(pattern, meta, name)
    return name


def to_meta(own: State) -> dict[str, Tensor]:
    """A state dict of the network under Meta's names."""
    named = {meta_name(name): value for name, value in own.items() if name not in (_POINTS, _GRID, _GRID_AGAIN)}
    return {**named, _META_GRID: own[_GRID], **dict(zip(_LABELS, torch.split(own[_POINTS], 1), strict=True))}


def from_meta(state: State, own: State) -> dict[str, Tensor]:
    """A state dict in Meta's names under the names of `own`, a state dict of the network."""
    grid = state[_META_GRID]
    joined = {_POINTS: torch.cat([state[name] for name in _LABELS]), _GRID: grid, _GRID_AGAIN: grid}
    return {name: joined[name] if name in joined else state[meta_name(name)] for name in own}


def with_both_grids(state: State) -> dict[str, Tensor]:
    """A state dict in transformers' names; its files leave out one of the two that share a tensor."""
    named = dict(state)
    for name, other in ((_GRID, _GRID_AGAIN), (_GRID_AGAIN, _GRID)):
        if name in state:
            named.setdefault(other, state[name])
    return named


META = Naming(
    in_the_file=to_meta,
    in_the_network=from_meta,
    completed=dict,
    memory=(
        _ATTENTION,
        "memory_encoder.",
        "mask_downsample.",
        "maskmem_tpos_enc",
        "no_mem_pos_enc",
        "no_obj_embed_spatial",
        "no_obj_ptr",
        "obj_ptr_proj.",
        "obj_ptr_tpos_proj.",
        "spatial_perceiver.",
    ),
    since_second=("no_obj_embed_spatial", "obj_ptr_tpos_proj"),
)
HUB = Naming(
    in_the_file=dict,
    in_the_network=lambda state, own: dict(state),
    completed=with_both_grids,
    memory=(
        _ATTENTION,
        "memory_encoder.",
        "memory_temporal_positional_encoding",
        "mask_downsample.",
        "no_memory_positional_encoding",
        "no_object_pointer",
        "object_pointer_proj.",
        "occlusion_spatial_embedding_parameter",
        "spatial_perceiver.",
        "temporal_positional_encoding_projection_layer.",
    ),
    since_second=("occlusion_spatial_embedding_parameter", "temporal_positional_encoding_projection_layer"),
)
"""Of the safetensors files on the Hugging Face hub, which transformers writes."""
