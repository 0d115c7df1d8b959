"""Checkpoints of SAM 2.1 and EdgeTAM: Meta's files and transformers' are recognised by their names, loaded strictly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from iiszoo import assets
from iiszoo.errors import WeightsError
from iiszoo.models.checkpoints import Found, differences, find_state_dict
from iiszoo_sam2.names import HUB, META, Naming
from iiszoo_sam2.networks import NETWORKS


class Candidate(NamedTuple):
    """A file's state dict under one naming, without memory modules; `alike`: how many of the network's names it has."""

    naming: Naming
    found: Found
    memory: frozenset[str]
    alike: int


def load_network(model: str, file: str | Path) -> Any:
    """The image network of a model id with the weights of `file`, for inference; strict: every entry, and no others.

    The file contains a state dict, as `iiszoo.models.checkpoints` finds it, in Meta's names (`{"model": state_dict}` in
    the official .pt files) or in transformers' (the hub's safetensors files). It may have the memory modules, with
    which SAM 2 goes through videos.

    Raises `WeightsError`, which says what is missing, or that the file belongs to another variant or to SAM 2.0.
    """
    content = assets.load_checkpoint(file)
    if isinstance(content, Mapping) and [*content] == ["model"]:
        content = content["model"]  # the official form, not worth a word in the log
    network = _empty(model)
    nearest = _nearest(content, file, network, model)
    fits = model
    if nearest.found.differences:
        others = (other for other in NETWORKS if other != model)
        fits = next((o for o in others if not _nearest(content, file, _empty(o), o).found.differences), "")
    family, _, variant = fits.partition("/")
    if family == "sam2" and nearest.naming.is_first_version(nearest.memory):
        raise WeightsError(
            f"checkpoint {file} has the weights of SAM 2.0 ({variant}), not of SAM 2.1: among its memory modules there "
            f"is no {' and no '.join(nearest.naming.since_second)}; give the SAM 2.1 file of {model}"
        )
    if not fits:
        raise WeightsError(
            f"checkpoint {file} does not fit {model}: {nearest.found.what_differs()}; give a file of {model}"
        )
    if fits != model:
        raise WeightsError(f"checkpoint {file} has the weights of {fits}, not of {model}; use --model {fits}")
    state = nearest.naming.in_the_network(nearest.found.state, network.state_dict())
    dataclasses.replace(nearest.found, state=state).put_into(network, model)
    return network.float().eval().requires_grad_(False)


def _empty(model: str) -> nn.Module:
    """The network on the meta device, where its weights take no memory."""
    with torch.device("meta"):
        return NETWORKS[model]()


def _nearest(content: Any, file: str | Path, network: nn.Module, model: str) -> Candidate:
    """The state dict in a file's content under the naming that fits it better. Raises as `find_state_dict`."""
    own = network.state_dict()
    return max((_candidate(content, file, own, model, naming) for naming in (META, HUB)), key=lambda one: one.alike)


def _candidate(content: Any, file: str | Path, own: Mapping[str, Tensor], model: str, naming: Naming) -> Candidate:
    wanted = naming.in_the_file(own)
    found = find_state_dict(content, file, wanted, model)
    state = naming.completed({name: value for name, value in found.state.items() if not naming.is_memory(name)})
    memory = frozenset(name for name in found.state if naming.is_memory(name))
    found = dataclasses.replace(found, state=state, differences=differences(state, wanted))
    return Candidate(naming, found, memory, len(state.keys() & wanted.keys()))
