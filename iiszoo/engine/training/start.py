"""The start of a training run: a trained network, a run, a model of the zoo, or a bare weights file.

A bare file has a state dict of the whole network, or of the backbone that the network's family starts from: a network
with a method `load_backbone(state, source)` reads the latter (ImageNet weights of HRNet, MAE's of ViT).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from iiszoo import assets
from iiszoo.engine.training.config import Named, NetworkTable
from iiszoo.errors import BadOption, WeightsError, one_line
from iiszoo.model_reference import resolve
from iiszoo.models import network_file, trained
from iiszoo.models.checkpoints import find_state_dict
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.object_path import load_object
from iiszoo.registry import resolve_model
from iiszoo.trained_file import ENTRY, named_file

_TORCH = (".pth", ".pt", ".ckpt")
_NO_FILE = "there is no file {} to start from; fetch it, or begin with random weights (start = \"\", --from '')"


class Start(NamedTuple):
    """Weights and the `description` of their network; None if their file has none. `state`: the state dict, perhaps
    wrapped in others (`iiszoo.models.checkpoints`) if there is no description.
    """

    source: str
    description: NetworkDescription | None
    state: Mapping[str, Any]

    def put_into(self, network: nn.Module) -> None:
        """Load the weights into `network`. Raises `WeightsError` if they do not fit."""
        state = self.state
        if self.description is None:
            found = find_state_dict(state, self.source, network.state_dict(), "the network")
            load_backbone: Callable[[Mapping[str, Tensor], str], None] | None
            load_backbone = getattr(network, "load_backbone", None)
            if not found.differences:
                state = found.state
            elif load_backbone is not None:
                load_backbone(found.state, self.source)
                return
        if not network.state_dict().keys() & state.keys():  # names as in the library itself
            state = {f"whole.{name}": value for name, value in state.items()}
        network_file.fill(network, state, self.source)


def find(start: str) -> Start:
    """The start named `start`. Raises `BadOption` for a model that cannot be trained, `UnknownId`, `WeightsError`."""
    if Path(start).suffix in _TORCH:
        if not Path(start).expanduser().is_file():
            raise WeightsError(_NO_FILE.format(start))
        return Start(start, None, assets.load_checkpoint(Path(start).expanduser()))
    file = safetensors_file(start)
    if file is not None:
        return _of_file(file)
    card, _ = resolve_model(start)
    if not card.network:
        raise BadOption(f"model {card.id} cannot be trained: its card names no `network`")
    model: Any = resolve(start).load()
    network = getattr(getattr(model.function, "network", None), "network", None)
    if not isinstance(network, nn.Module):
        raise BadOption(f"model {card.id} cannot be trained: it is not a ClickModel with a network")
    return Start(start, description_of_family(card.id), network.state_dict())


def safetensors_file(start: str) -> Path | None:
    """The file that `start` names by its path, its run, or a model that `iiszoo train` has trained; None for others.

    Raises `UnknownId`; `WeightsError` if a model's file cannot be fetched.
    """
    file = named_file(start)
    if file is not None:
        return file
    card, _ = resolve_model(start)
    return assets.fetch(card) if load_object(card.loader) is trained.load else None


def description_of_family(model: str) -> NetworkDescription:
    """The network that the card of `model` names, with disks of 5 pixels, and the previous mask if it accepts one."""
    card, _ = resolve_model(model)
    return NetworkDescription(
        library="iiszoo",
        architecture=card.id,
        encoder="",
        previous_mask="mask" in card.prompts,
        encoding="disk",
        encoding_options={"radius": 5},
    )


def network_table(start: Start, configured: NetworkTable) -> NetworkTable:
    """The [network] of a run, as `start` describes it. Raises `BadOption` if the configuration differs."""
    found = start.description
    if configured.encoder_weights:
        raise BadOption(f"network.encoder_weights and a start ({start.source}) exclude each other; give only one")
    if found is None:
        return configured
    table = dataclasses.replace(
        NetworkTable(),
        **{
            name: getattr(found, name)
            for name in ("library", "architecture", "encoder", "fusion", "previous_mask", "mean", "std", "options")
        },
        encoding=Named(found.encoding, dict(found.encoding_options)),
    )
    for field in dataclasses.fields(NetworkTable):
        wanted, actual = getattr(configured, field.name), getattr(table, field.name)
        if wanted not in (actual, getattr(NetworkTable(), field.name)):
            raise BadOption(
                f"network.{field.name} is {wanted!r:.80} in the configuration, but {actual!r:.80} in {start.source}; "
                "leave [network] out: it is taken from the start"
            )
    return table


def _of_file(file: Path) -> Start:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(file, "pt") as opened:
            described = ENTRY in (opened.metadata() or {})
        if not described:
            return Start(str(file), None, load_file(file))
    except FileNotFoundError as error:
        raise WeightsError(_NO_FILE.format(file)) from error
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {one_line(error)}") from error
    found = network_file.load(file)
    return Start(str(file), found.description, found.network.state_dict())
