"""The network of a configuration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn

from iiszoo.engine.training.config import TrainConfig
from iiszoo.engine.training.start import description_of_family
from iiszoo.errors import BadOption
from iiszoo.models.wrappers import mmseg_weights, smp
from iiszoo.models.wrappers.building import build, completed
from iiszoo.models.wrappers.description import NetworkDescription, Sighting


def describe(config: TrainConfig) -> tuple[NetworkDescription, Sighting]:
    """The network of a configuration, and how a session shows it an image."""
    table = config.network
    if table.library == "iiszoo":
        description = description_of_family(table.architecture)
        return description, Sighting(size=config.size, **dataclasses.asdict(config.sighting))
    description = completed(
        NetworkDescription(
            library=table.library,
            architecture=table.architecture,
            encoder=table.encoder,
            fusion=table.fusion,
            options=table.options,
            mean=table.mean,
            std=table.std,
            previous_mask=table.previous_mask,
            encoding=table.encoding.name,
            encoding_options=table.encoding.options,
        )
    )
    return description, Sighting(size=config.size, **dataclasses.asdict(config.sighting))


def new_network(config: TrainConfig) -> nn.Module:
    """The network of a configuration, with random weights; its encoder is pretrained if so configured."""
    description, _ = describe(config)
    torch.manual_seed(config.run.seed)
    network = build(description)
    weights = config.network.encoder_weights
    if weights and description.library == "iiszoo":
        raise BadOption(f"network.encoder_weights is not for networks of models, such as {description.architecture}")
    if weights and description.library == "mmseg":
        mmseg_weights.load(network, weights, config.network.architecture, config.network.options)
    elif weights.endswith(".safetensors"):
        from safetensors.torch import load_file

        if not Path(weights).is_file():
            raise BadOption(f"network.encoder_weights: there is no file {weights}")
        smp.load_encoder(network, load_file(weights), weights)
    elif weights:
        smp.load_encoder(network, smp.library_weights(description, weights), weights)
    return network
