"""Networks of mmsegmentation 1.2 with click inputs, fused early or in the feature maps of the backbone.

A description names one of mmsegmentation's configurations, a configuration file, or has a model as a dict
(`iiszoo.models.wrappers.mmseg_configuration`). Only the convolutions that read the image are changed; auxiliary heads,
losses, samplers and pipelines of mmsegmentation are not used.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo.errors import BadOption, ModelError, one_line
from iiszoo.models.mmcv_stand_in import NoOperator
from iiszoo.models.wrappers.description import NetworkDescription
from iiszoo.models.wrappers.mmseg_configuration import completed, model_of, name_of
from iiszoo.models.wrappers.normalised import NEW_CHANNELS, Normalised

RGB = 3
SIDE, LARGER = 64, 512
"""Side of the image that a new network is tried on, in pixels; for the few that need a larger one, and have no own."""


def build(description: NetworkDescription) -> nn.Module:
    """The network of a description, with random weights as mmsegmentation initialises them, tried on a small image.

    Synchronised batch norms become ordinary ones. Raises `BadOption` naming the configuration and what fails, such as
    an operator that is not compiled.
    """
    description = completed(description)
    name, model = name_of(description), model_of(description)
    whole = _created(model, name)
    if description.fusion == "early":
        _read_more(whole.backbone, RGB + description.n_maps, name)
    else:
        second = _created(model, name).backbone
        _read_more(second, description.n_maps, name)
        whole.backbone = TwoBackbones(whole.backbone, second)
    network = Segmentor(whole, description.mean, description.std, name)
    size = model["backbone"].get("img_size", LARGER)
    _try(network, description, (SIDE, size if isinstance(size, int) else size[0]))
    return network


class Segmentor(Normalised):
    """`whole`, mmsegmentation's segmentor. Names in the state dict are its own, under `whole.`.

    A network in training mode answers as in inference: its backbone and heads return one result, not one for each loss
    of mmsegmentation. Their layers, such as batch norm and dropout, do train.
    """

    def __init__(self, whole: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], name: str) -> None:
        super().__init__(whole, mean, std)
        self.name = name
        self.train()

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        """Raises `ModelError` for a batch that the network is not made for, such as too small images."""
        size = (int(image.shape[-2]), int(image.shape[-1]))
        joined = torch.cat((self.normalised(image), maps.to(image.dtype)), dim=1)
        try:
            answer: Tensor = self.whole.encode_decode(joined, [{"img_shape": size}] * len(image))  # type: ignore[operator]
        except (AssertionError, ValueError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ModelError(
                f"{self.name} does not answer for {len(image)} x {size[0]} x {size[1]} pixels: {one_line(error)}; "
                "it may need another view.size or run.batch_size"
            ) from error
        return answer[:, 1:2] - answer[:, :1]  # softmax of two classes is the sigmoid of this

    def train(self, mode: bool = True) -> Segmentor:
        super().train(mode)
        heads = self.whole.decode_head
        for part in (*_backbones(self.whole), *(heads if isinstance(heads, nn.ModuleList) else [heads])):
            part.training = False
        return self


class TwoBackbones(nn.Module):
    """Intermediate fusion: `image` reads the first three channels, `maps` the others, and their features are added."""

    def __init__(self, image: nn.Module, maps: nn.Module) -> None:
        super().__init__()
        self.image, self.maps = image, maps

    def forward(self, joined: Tensor) -> Any:
        return _added(self.image(joined[:, :RGB]), self.maps(joined[:, RGB:]))


def _created(model: dict[str, Any], name: str) -> Any:
    from mmengine.config import ConfigDict
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS

    try:
        with _quiet(), DefaultScope.overwrite_default_scope("mmseg"):  # mmcv looks for layers there too
            whole = MODELS.build(ConfigDict(model))
            whole.init_weights()
    except NoOperator as error:
        raise _not_compiled(error, name) from error
    except Exception as error:
        raise BadOption(f"{name} cannot be built: {one_line(error)}") from error
    return revert_sync_batchnorm(whole)


def _read_more(backbone: nn.Module, channels: int, name: str) -> None:
    """Let the backbone read `channels` channels. Beside filters for RGB those of further channels start small, so that
    pretrained ones keep their answer.
    """
    readers = [
        each
        for each in backbone.modules()
        if isinstance(each, nn.Conv2d) and each.in_channels == RGB and each.groups == 1
    ]
    if not readers:
        raise BadOption(f"{name}: no convolution of its backbone reads three channels, so clicks cannot be added")
    for convolution in readers:
        rgb = convolution.weight.data
        weight = rgb.new_empty((rgb.shape[0], channels, *rgb.shape[2:]))
        if channels > RGB:
            nn.init.normal_(weight, std=NEW_CHANNELS)[:, :RGB] = rgb
        else:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))  # as torch does
        convolution.weight, convolution.in_channels = nn.Parameter(weight), channels


def _try(network: nn.Module, description: NetworkDescription, sides: tuple[int, ...]) -> None:
    """Raise `BadOption` if the network answers for none of these square images."""
    network.eval()
    failure: BaseException | None = None
    for side in sides:
        try:
            with torch.no_grad(), _quiet():
                network(torch.zeros(1, RGB, side, side), torch.zeros(1, description.n_maps, side, side))
            break
        except NoOperator as error:
            raise _not_compiled(error, name_of(description)) from error
        except ModelError as error:
            failure = failure or error.__cause__ or error
    else:
        assert failure is not None
        other = "intermediate" if description.fusion == "early" else "early"
        raise BadOption(
            f"{name_of(description)} does not answer with {description.fusion} fusion: {one_line(failure)}; try "
            f"{other}, or another configuration"
        ) from failure
    network.train()


def _not_compiled(error: NoOperator, name: str) -> BadOption:
    return BadOption(
        f"{name} needs mmcv's compiled operator {error.operator}, and mmcv-lite has none; install mmcv 2.1 with its "
        "operators in its place, or choose another configuration"
    )


def _added(one: Any, other: Any) -> Any:
    """Feature maps of two backbones, added; they may be nested, as with a transformer's tokens."""
    if isinstance(one, Tensor):
        return one + other
    return type(one)(_added(a, b) for a, b in zip(one, other, strict=True))


def _backbones(whole: nn.Module) -> tuple[nn.Module, ...]:
    backbone: nn.Module = whole.backbone  # type: ignore[assignment]
    return (backbone.image, backbone.maps) if isinstance(backbone, TwoBackbones) else (backbone,)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what mmengine logs and prints on each initialised part, and its advice on two classes."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
