"""Networks of segmentation_models_pytorch with click inputs, fused early or at every level of the encoder.

The encoder's weights for RGB do not change. smp would copy its RGB filters into the further channels repeatedly; here
the filters of new channels start small.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo.errors import BadOption, one_line
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.models.wrappers.normalised import NEW_CHANNELS, Normalised

_OURS = ("encoder_name", "encoder_weights", "in_channels", "classes")
"""Keywords of smp that a description sets in other ways."""


def build(description: NetworkDescription) -> nn.Module:
    """The network of a description, with random weights. Raises `BadOption` naming the part that fails."""
    if description.fusion == "early":
        whole = _create(description, 3 + description.n_maps)
        _fused_filters(whole.encoder, _create(description, 3).encoder, description)
        return EarlyFusion(whole, description.mean, description.std)
    if description.architecture.lower() == "dpt":
        raise BadOption("intermediate fusion adds feature maps, and the encoder of dpt returns tokens too; use early")
    whole = _create(description, 3)
    return IntermediateFusion(whole, _second_encoder(description), description.mean, description.std)


def build_without_clicks(description: NetworkDescription) -> nn.Module:
    """The library's network itself, which sees the image alone; random weights. Raises `BadOption` as `build`."""
    return WithoutClicks(_create(description, 3), description.mean, description.std)


class _Network(Normalised):
    @property
    def encoder(self) -> nn.Module:
        encoder: nn.Module = self.whole.encoder  # type: ignore[assignment]
        return encoder


class WithoutClicks(_Network):
    """The image alone. Names in the state dict are smp's, under `whole.`."""

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.whole(self.normalised(image))
        return logits


class EarlyFusion(_Network):
    """Image and maps enter the first convolution together. Names in the state dict are smp's, under `whole.`."""

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        logits: Tensor = self.whole(torch.cat((self.normalised(image), maps.to(image.dtype)), dim=1))
        return logits


class IntermediateFusion(_Network):
    """A second encoder reads the maps, and its features are added to the image's, level by level: `EncodeSMP`."""

    def __init__(self, whole: nn.Module, second: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__(whole, mean, std)
        self.second = second

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        features, extra = self.encoder(self.normalised(image)), self.second(maps.to(image.dtype))
        # the first level is the input itself: its channels differ, and no decoder reads it
        fused = [one + other if one.shape == other.shape else one for one, other in zip(features, extra, strict=True)]
        logits: Tensor = self.whole.segmentation_head(self.whole.decoder(fused))  # type: ignore[operator]
        return logits


def load_encoder(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Load pretrained RGB weights into the image's encoder. New input channels keep their small filters.

    `weights` may have smp's names or timm's; additional entries, such as a classifier's head, are ignored. Raises
    `BadOption` naming `source` if entries are missing or have another shape.
    """
    encoder: nn.Module = network.encoder  # type: ignore[assignment]
    own = encoder.state_dict()
    prefixed = {f"model.{name}": value for name, value in weights.items()}
    given = weights if len(own.keys() & weights.keys()) >= len(own.keys() & prefixed.keys()) else prefixed
    missing = sorted(name for name in own.keys() - given.keys() if not name.endswith("num_batches_tracked"))
    if missing:
        raise BadOption(f"the encoder's weights {source} lack {missing[0]} and {len(missing) - 1} others")
    state = {}
    for name, value in own.items():
        if name not in given:
            continue
        new = given[name].to(value.dtype)
        if new.shape != value.shape:
            if (
                new.dim() != 4
                or new.shape[1] != 3
                or new.shape[0] != value.shape[0]
                or new.shape[2:] != value.shape[2:]
            ):
                raise BadOption(
                    f"the encoder's weights {source}: {name} has the shape {tuple(new.shape)}, not {tuple(value.shape)}"
                )
            new = torch.cat((new, value[:, 3:]), dim=1)
        state[name] = new
    encoder.load_state_dict(state, strict=False)


def library_weights(description: NetworkDescription, name: str) -> dict[str, Tensor]:
    """Download the RGB weights of an encoder from smp or timm; `name` is usually "imagenet"."""
    import segmentation_models_pytorch as smp

    try:
        depth = int(description.options.get("encoder_depth", 5))
        encoder = smp.encoders.get_encoder(description.encoder, in_channels=3, depth=depth, weights=name)
    except Exception as error:
        raise BadOption(
            f"the weights {name!r} of encoder {description.encoder} cannot be loaded: {one_line(error)}; "
            'set encoder_weights to a safetensors file, or to ""'
        ) from error
    state: dict[str, Tensor] = encoder.state_dict()
    return state


def _create(description: NetworkDescription, in_channels: int) -> Any:
    import segmentation_models_pytorch as smp

    architectures = sorted(smp.MODEL_ARCHITECTURES_MAPPING)
    if description.architecture.lower() not in architectures:
        raise BadOption(
            f"segmentation_models_pytorch has no architecture {description.architecture!r}; it has "
            f"{', '.join(architectures)}"
        )
    made = smp.MODEL_ARCHITECTURES_MAPPING[description.architecture.lower()]
    known = [name for name in inspect.signature(made).parameters if name not in (*_OURS, "kwargs")]
    for name in description.options:  # smp passes unknown ones to the encoder, which may accept anything
        if name not in known:
            raise BadOption(f"network.options: {description.architecture} has no {name}; it has {', '.join(known)}")
    try:
        return smp.create_model(
            description.architecture,
            encoder_name=description.encoder,
            encoder_weights=None,
            in_channels=in_channels,
            classes=1,
            **description.options,
        )
    except Exception as error:
        raise BadOption(
            f"segmentation_models_pytorch cannot build {description.architecture} with the encoder "
            f"{description.encoder}: {one_line(error)}"
        ) from error


def _second_encoder(description: NetworkDescription) -> nn.Module:
    whole = _create(description, description.n_maps)
    second: nn.Module = copy.deepcopy(whole.encoder)
    return second


def _fused_filters(encoder: nn.Module, for_rgb: nn.Module, description: NetworkDescription) -> None:
    """Give the channels beyond RGB small initial filters. `for_rgb` is the same encoder for three channels."""
    shapes = {name: value.shape for name, value in for_rgb.state_dict().items()}
    state = encoder.state_dict()
    wider = [name for name, value in state.items() if value.shape != shapes[name]]
    for name in wider:
        value = state[name]
        if value.dim() != 4 or value.shape[1] != 3 + description.n_maps or shapes[name][1] != 3:
            raise BadOption(
                f"early fusion cannot widen {name} of encoder {description.encoder}; use intermediate fusion"
            )
        nn.init.normal_(value[:, 3:], std=NEW_CHANNELS)
    if not wider:
        raise BadOption(
            f"encoder {description.encoder} accepts three channels only; early fusion needs another encoder"
        )
