"""A trained segmenter in one safetensors file: weights in float32, its description and the facts of its training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn

from iiszoo import files
from iiszoo.errors import RunError, WeightsError
from iiszoo.models.network_file import fill
from iiszoo.models.supervised import SegmenterDescription, untrained

_ENTRY = "iiszoo-segmenter"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, for inference; `sha256` over its weights, which training again repeats; `facts` of its
    training; the file that it is in.
    """

    network: nn.Module
    description: SegmenterDescription
    sha256: str
    facts: dict[str, Any]
    path: Path


def save(path: Path, network: nn.Module, description: SegmenterDescription, facts: dict[str, Any]) -> Trained:
    """Write the file in one step, and load it: what goes on from it is what a resumed campaign goes on from.

    Raises `RunError` if it cannot be written.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    metadata = {_ENTRY: json.dumps({"description": asdict(description), "facts": facts})}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace_bytes(path, serialised(state, metadata=metadata))
    except OSError as error:
        raise RunError(f"the segmenter cannot be saved as {path}: {error}; make room and run it again") from error
    return load(path)


def load(path: Path) -> Trained:
    """The network of a file that `save` wrote. Raises `WeightsError` if it is damaged."""
    try:
        with safe_open(path, "pt") as opened:
            known = json.loads((opened.metadata() or {})[_ENTRY])
        description = SegmenterDescription(**known["description"])
        network = untrained(description)
        state = load_file(path)
        fill(network, state, str(path))
        network = network.to(memory_format=torch.channels_last)
        return Trained(network.eval().requires_grad_(False), description, _hash_of(state), known["facts"], path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} is not a segmenter that iiszoo saved ({error}); delete it to train it again"
        ) from error


def _hash_of(state: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256()
    for name in sorted(state):
        content.update(f"{name} {tuple(state[name].shape)}\n".encode())
        content.update(state[name].numpy().tobytes())
    return content.hexdigest()
