"""Trained networks as models: the loader of `smp` and of plugins that `iiszoo new --from` writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import assets
from iiszoo.builtin.models import TRAINED_OPTIONS
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.models.click_options import crop_target
from iiszoo.models.compute import Compute

if TYPE_CHECKING:
    from torch import nn

    from iiszoo.models.click_model import ClickModel

OPTIONS = TRAINED_OPTIONS
"""For the card of a plugin's trained network."""


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    size: int | str | None = None,
    flip: bool | None = None,
    second_look: bool | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> ClickModel:
    """The model of a card, with its weights or the weights in `checkpoint`; see `load_file`."""
    file = checkpoint or assets.fetch(card)
    return load_file(
        file, device=device, size=size, flip=flip, second_look=second_look,
        runtime=runtime, precision=precision, cuda_graphs=cuda_graphs,
    )  # fmt: skip


def load_file(
    file: Path,
    *,
    device: str,
    size: int | str | None = None,
    flip: bool | None = None,
    second_look: bool | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> ClickModel:
    """The model of a file that `iiszoo train` wrote. Options override how the file specifies that images are shown.

    `size`: the size of a resized crop, a side in pixels or "HEIGHTxWIDTH". `flip`: average with the answer to the
    mirrored image. `second_look`: see `iiszoo.models.second_look`. `runtime`, `precision`, `cuda_graphs`: see
    `iiszoo.models.compute`. Raises `WeightsError`, and `BadOption` for an invalid value.
    """
    compute = Compute(device, runtime, precision, cuda_graphs)
    changes: dict[str, Any] = {}
    if size is not None:
        target = crop_target(size)
        changes["size"] = target if isinstance(target, tuple) else (target, target)
    for name, value in (("flip", flip), ("second_look", second_look)):
        if value is not None:
            if not isinstance(value, bool):
                raise BadOption(f"option {name}={value} must be true or false")
            changes[name] = value
    from iiszoo.models import network_file

    found = network_file.load(file)
    sighting = dataclasses.replace(found.sighting, **changes)
    network = compute.network(found.network.to(device), network_file.graph(found.description, sighting))
    return network_file.click_model(network, found.description, sighting)


def untrained(card: ModelCard) -> nn.Module:
    """The network of a card with random weights, as its weights file describes it: for a card's `network`."""
    from iiszoo.models import network_file

    return network_file.untrained(assets.fetch(card))
