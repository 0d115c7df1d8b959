"""The network of a description, by the library that it names."""

from __future__ import annotations

from torch import nn

from iiszoo.errors import BadOption
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.object_path import load_object
from iiszoo.registry import resolve_model


def build(description: NetworkDescription) -> nn.Module:
    """The network of a description, with random weights. Raises `BadOption` naming the part that cannot be built."""
    if description.library == "iiszoo":
        card, _ = resolve_model(description.architecture)
        if not card.network:
            raise BadOption(f"model {card.id} cannot be trained: its card names no `network`")
        network: nn.Module = load_object(card.network)(card)
        return network
    from iiszoo.models.wrappers import mmseg, smp

    return mmseg.build(description) if description.library == "mmseg" else smp.build(description)


def completed(description: NetworkDescription) -> NetworkDescription:
    """The description with all that its network is built from, so that no configuration file is needed to build it
    again. Raises `BadOption` naming what is wrong with the configuration.
    """
    if description.library != "mmseg":
        return description
    from iiszoo.models.wrappers import mmseg_configuration

    return mmseg_configuration.completed(description)
