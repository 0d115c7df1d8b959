"""GTO99's checkpoints: identified and loaded strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iiszoo import assets
from iiszoo.errors import WeightsError
from iiszoo.models.checkpoints import find_state_dict
from iiszoo_gto99.network import N_MAPS, Network
from iiszoo_gto99.standardised import fold

_SIGN = "decoder.guided_map_conv1.weight"
"""An entry of every GTO99 checkpoint and of no other family's, including the authors' matting networks."""


class Configuration(NamedTuple):
    """The arguments of `iiszoo_gto99.network.Network`."""

    mask_input: bool
    user_encoder: bool

    def __str__(self) -> str:
        return "&".join(f"{name}={str(value).lower()}" for name, value in self._asdict().items())


PUBLISHED = Configuration(mask_input=True, user_encoder=True)


def load_gto99(file: str | Path, configuration: Configuration = PUBLISHED) -> Network:
    """The network with the weights of `file`, for inference; strict: every entry, and no others.

    `file` contains a state dict, as `iiszoo.models.checkpoints` finds it. Weights are standardised here, once. Raises
    `WeightsError`, which states whether the file belongs to another configuration or another family.
    """
    content = assets.load_checkpoint(file)
    with torch.device("meta"):  # nothing is initialised only to be overwritten
        network = Network(*configuration)
    checkpoint = find_state_dict(content, file, network.state_dict(), "gto99/resnet50")
    found = identify(checkpoint.state)
    if found is None:
        raise WeightsError(
            f"checkpoint {file} is not a GTO99 checkpoint: it has no entry {_SIGN}, so it belongs to another family or "
            "is not a state dict; give a file like InterSegSynthFT.pth"
        )
    if found != configuration:
        raise WeightsError(
            f"checkpoint {file} is GTO99 with {found}, not with {configuration}; use --model gto99/resnet50?{found}"
        )
    checkpoint.put_into(network, "gto99/resnet50")
    network.float().eval().requires_grad_(False)
    fold(network)
    return network


def identify(state: Any) -> Configuration | None:
    """The configuration of a state dict, by the inputs of its first convolutions; None if it is not a GTO99 one."""
    if not isinstance(state, dict) or not isinstance(state.get(_SIGN), Tensor):
        return None
    user_encoder = "decoder.usr_encoder.conv1.weight" in state
    first, without_mask = (
        ("decoder.usr_encoder.conv1.weight", N_MAPS) if user_encoder else ("encoder.conv1.weight", 3 + N_MAPS)
    )
    weight = state.get(first)
    if not isinstance(weight, Tensor) or weight.dim() != 4 or weight.shape[1] not in (without_mask, without_mask + 1):
        return None
    return Configuration(bool(weight.shape[1] > without_mask), user_encoder)
