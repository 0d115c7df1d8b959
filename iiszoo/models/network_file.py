"""A trained network in one safetensors file: its weights, and in the metadata a description of the network.

The metadata's entry `iiszoo` is JSON: `network`, the description; `sighting`, how a session shows the network an image;
and further facts (`training`: datasets, steps, NoC).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn

from iiszoo import files
from iiszoo.errors import BadOption, WeightsError, one_line
from iiszoo.models.click_model import ClickModel, disk_graph
from iiszoo.models.runtime import Graph, image_and_maps
from iiszoo.models.second_look import LookTwice
from iiszoo.models.wrappers.building import build
from iiszoo.models.wrappers.description import Encoded, NetworkDescription, Sighting, as_json
from iiszoo.models.zoom import only_size
from iiszoo.trained_file import ENTRY, facts_of


class TrainedNetwork(NamedTuple):
    """A network for inference, float32, without gradients, and its description."""

    network: nn.Module
    description: NetworkDescription
    sighting: Sighting
    facts: dict[str, Any]

    def model(self) -> ClickModel:
        return click_model(self.network, self.description, self.sighting)


def click_model(
    network: Callable[[Tensor, Tensor], Tensor], description: NetworkDescription, sighting: Sighting
) -> ClickModel:
    """The model in the standard format that plays sessions with `network`."""
    encoded = Encoded(network, description.encode())
    kind = LookTwice if sighting.second_look else ClickModel
    model = kind(encoded, sighting.zoom(), flip=sighting.flip, with_prev_mask=description.previous_mask)
    model.threshold = sighting.threshold
    return model


def graph(description: NetworkDescription, sighting: Sighting) -> Graph:
    """How the network of a description is exported."""
    if description.encoding == "disk":
        radius = description.encoding_options.get("radius", 5)
        return disk_graph(radius, description.previous_mask, sighting.zoom(), sighting.flip)
    previous = "previous probabilities, " if description.previous_mask else ""
    usage = {"encoding": description.encoding, **description.encoding_options}
    maps = f"{previous}maps of the positive, of the negative clicks"
    return image_and_maps(description.n_maps, maps, usage=usage, size=only_size(sighting.zoom()))


def save(
    path: Path,
    network: nn.Module,
    description: NetworkDescription,
    sighting: Sighting,
    facts: Mapping[str, Any],
    *,
    whole: bool = False,
) -> None:
    """Write the file atomically: a reader sees the old file or the new one.

    In half precision and without the counters of norm layers, or with `whole` the state dict as it is.
    """
    state = {
        name: (value if whole or not value.is_floating_point() else value.half()).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
        if whole or not name.endswith("num_batches_tracked")
    }
    metadata = {"network": as_json(description), "sighting": asdict(sighting), **facts}
    files.replace_bytes(path, serialised(state, metadata={ENTRY: json.dumps(metadata)}))


def load(path: str | Path) -> TrainedNetwork:
    """The network of a file that `save` wrote. Raises `WeightsError` naming the file."""
    network, description, sighting, facts = _described(Path(path))
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}") from error
    fill(network, state, str(path))
    return TrainedNetwork(
        network.to(memory_format=torch.channels_last).eval().requires_grad_(False), description, sighting, facts
    )


def untrained(path: Path) -> nn.Module:
    """The network that a file describes, with random weights. Raises `WeightsError` naming the file."""
    return _described(path)[0]


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all weights of a network. Raises `WeightsError` naming `source` and the first entry that does not fit."""
    own = network.state_dict()
    wanting = [name for name in own.keys() - state.keys() if not name.endswith("num_batches_tracked")]
    unknown = state.keys() - own.keys()
    for name in sorted([*wanting, *unknown]):
        raise WeightsError(f"{source} does not fit the network: {name} is {'missing' if name in own else 'unknown'}")
    try:
        network.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()}, strict=False)
    except RuntimeError as error:
        raise WeightsError(f"{source} does not fit the network: {one_line(error)}") from error


def _described(path: Path) -> tuple[nn.Module, NetworkDescription, Sighting, dict[str, Any]]:
    facts = facts_of(path)
    try:
        description = NetworkDescription(**_tuples(facts.pop("network")))
        sighting = Sighting(**_tuples(facts.pop("sighting")))
        return build(description), description, sighting, facts
    except (KeyError, TypeError, BadOption) as error:
        raise WeightsError(f"{path} describes a network that this iiszoo cannot build: {error}") from error


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
