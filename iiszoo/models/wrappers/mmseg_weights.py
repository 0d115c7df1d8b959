"""Weights that mmsegmentation trained on RGB images, put into a network with clicks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iiszoo import assets
from iiszoo.errors import BadOption, WeightsError, few, one_line
from iiszoo.models.wrappers.mmseg import RGB, TwoBackbones
from iiszoo.models.wrappers.mmseg_configuration import weights_of

PRETRAINED = "pretrained"
"""The weights that the configuration itself names."""

_log = logging.getLogger("iiszoo.models")


def load(network: nn.Module, weights: str, architecture: str, options: Mapping[str, Any]) -> None:
    """Load a checkpoint into a network of `iiszoo.models.wrappers.mmseg`: of a whole segmentor or of a backbone alone,
    `.pth` or safetensors. `weights`: its file, or `PRETRAINED` for that of the configuration `architecture`, which is
    downloaded into torch.hub's cache if it is a URL.

    New input channels keep their small filters. What the checkpoint lacks or has for another number of classes stays
    random, and is logged. Raises `WeightsError` if it cannot be fetched or read; `BadOption` if it does not fit the
    backbone, naming an entry.
    """
    if weights == PRETRAINED:
        weights = weights_of(architecture, options)
        if not weights:
            raise BadOption(
                f"mmsegmentation's {architecture} names no pretrained weights; set network.encoder_weights to a file, "
                'or to ""'
            )
    file = _fetched(weights) if "://" in weights else Path(weights)
    given = _entries(assets.load_checkpoint(file))
    whole: nn.Module = network.whole  # type: ignore[assignment]
    state, absent = _fitting(whole, given, str(file))
    whole.load_state_dict(state, strict=False)
    if absent:
        _log.warning("weights %s: %d entries of the network stay random: %s", file, len(absent), few(absent))


def _entries(content: Any) -> dict[str, Tensor]:
    """The state dict of a checkpoint, with the names of a whole segmentor."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = {
        str(name).removeprefix("module."): value
        for name, value in (content.items() if isinstance(content, Mapping) else ())
        if isinstance(value, Tensor)
    }
    if any(name.startswith("backbone.") for name in state):
        return state
    return {f"backbone.{name}": value for name, value in state.items()}


def _fitting(whole: nn.Module, given: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """The entries that a segmentor takes from `given`, and the names of those that it lacks."""
    two = isinstance(whole.backbone, TwoBackbones)
    state: dict[str, Tensor] = {}
    absent: list[str] = []
    for name, value in whole.state_dict().items():
        if (two and name.startswith("backbone.maps.")) or name.endswith("num_batches_tracked"):
            continue
        theirs = name.replace("backbone.image.", "backbone.", 1) if two else name
        new = given.get(theirs)
        if new is not None and new.dim() == value.dim() == 4 and new.shape[1] == RGB < value.shape[1]:
            new = torch.cat((new.to(value.dtype), value[:, RGB:]), dim=1)
        if new is not None and new.shape == value.shape:
            state[name] = new
        elif new is not None and name.startswith("backbone."):
            raise BadOption(
                f"weights {source} do not fit the network: {theirs} has the shape {tuple(new.shape)}, not "
                f"{tuple(value.shape)}"
            )
        else:
            absent.append(name)
    lacking = [name for name in absent if name.startswith("backbone.")]
    if len(lacking) > sum(name.startswith("backbone.") for name in state):  # some layers are new in segmentation
        raise BadOption(f"weights {source} do not fit the network: they lack most of its backbone, even {lacking[0]}")
    return state, absent


def _fetched(url: str) -> Path:
    """The file of a URL, or of a name that mmengine knows such as `open-mmlab://resnet50_v1c`, in torch.hub's cache."""
    from mmengine.runner import checkpoint

    scheme, _, name = url.partition("://")
    tables = {
        "open-mmlab": checkpoint.get_external_models,
        "openmmlab": checkpoint.get_external_models,
        "mmcls": checkpoint.get_mmcls_models,
        "torchvision": checkpoint.get_torchvision_models,
    }
    address = tables[scheme]().get(name, "") if scheme in tables else url
    if not address.startswith(("https://", "http://")):
        raise BadOption(f"nobody knows where the weights {url} are; set network.encoder_weights to a file")
    file = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
    if not file.is_file():
        if assets.is_offline():
            raise WeightsError(f"{file.name} is not fetched: IISZOO_OFFLINE is set, and there is no {file}")
        hashed = torch.hub.HASH_REGEX.search(file.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(file), hashed.group(1) if hashed else None, progress=False)
        except Exception as error:  # no connection, another file, no room
            raise WeightsError(f"{address} cannot be fetched: {one_line(error)}") from error
    return file
