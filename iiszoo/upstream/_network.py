"""The network of an isegm checkpoint: `{"state_dict": ..., "config": ...}`, or a state dict alone.

`config` names the network's class and its parameters (`isegm/utils/serialization.py` of
SamsungLabs/ritm_interactive_segmentation at b9b4460). These names are not trusted: the network's class must be one of
the clone, and a class among its parameters one of the clone or of `torch.nn`; nothing else is imported for them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from iiszoo import assets
from iiszoo.errors import UpstreamError, WeightsError, raised_as
from iiszoo.models.checkpoints import find_state_dict
from iiszoo.upstream._namespace import Namespace
from iiszoo.upstream._quiet import quiet

Build = Callable[[Namespace], nn.Module]


def clone_network(namespace: Namespace, checkpoint: str | Path | None, build: Build | None) -> nn.Module:
    """The clone's network with the weights of `checkpoint`, for inference; untrained if that is None.

    `build(namespace)` builds the network if no config says how; it takes precedence over a config. Raises
    `WeightsError` for a checkpoint that cannot be used, and `UpstreamError` if the network cannot be built.
    """
    content = None if checkpoint is None else assets.load_checkpoint(checkpoint)
    config = content.get("config") if isinstance(content, Mapping) else None
    if checkpoint is not None:
        find_state_dict(content, checkpoint, {}, str(namespace))  # raises if there is none
    if build is None and isinstance(config, Mapping):
        build = partial(_from_config, config=config)
    if build is None:
        cause = "there is no checkpoint" if checkpoint is None else f"{checkpoint} does not say how"
        raise UpstreamError(
            f"the network of {namespace} cannot be built: {cause}; give `build`, a function that takes the namespace "
            "and returns the network"
        )
    with quiet(), raised_as(UpstreamError, f"the network of {namespace} cannot be built"):
        network = build(namespace)
    if not isinstance(network, nn.Module):
        raise UpstreamError(f"the network of {namespace} must be a torch module, not of type {type(network).__name__}")
    if checkpoint is not None:
        _fill(network, content, checkpoint, namespace)
    return network.requires_grad_(False).eval()


def _from_config(namespace: Namespace, config: Mapping[str, Any]) -> nn.Module:
    """Like upstream's `load_model`: passes on what was specified, and what differs from the class's current default."""
    cls = _class_named(namespace, str(config["class"]), of_clone=True)
    defaults = _defaults(cls)
    arguments = {}
    for name, parameter in config["params"].items():
        value = parameter["value"]
        if parameter["type"] == "class":
            value = _class_named(namespace, str(value), of_clone=False)
        if parameter["specified"] or (name in defaults and defaults[name] != value):
            arguments[name] = value
    network: nn.Module = cls(**arguments)
    return network


def _class_named(namespace: Namespace, path: str, *, of_clone: bool) -> type[nn.Module]:
    module, _, name = path.rpartition(".")
    # a checkpoint written by a clone here names the private module
    module = re.sub(rf"^{re.escape(namespace.name.rpartition('.')[0])}\.\w+\.", "", module)
    # only within a package: beside it are scripts, which would run when imported
    if "." in module and namespace.owns(module.partition(".")[0]):
        found = getattr(namespace.import_module(module), name, None)
    else:
        known = not of_clone and re.fullmatch(r"torch\.nn(\.[\w.]+)?", module)
        found = getattr(nn, name, None) if known else None
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        where = "the clone" if of_clone else "the clone or of torch.nn"
        raise WeightsError(
            f"the checkpoint's config names {path}, which is not a network class of {where}; it is not used"
        )
    return found


def _defaults(cls: type[nn.Module]) -> dict[str, Any]:
    """The default of each parameter that the class or one of its bases takes."""
    defaults: dict[str, Any] = {}
    for base in cls.__mro__:
        if base in (nn.Module, object):
            continue
        for parameter in inspect.signature(vars(base).get("__init__", object)).parameters.values():
            if parameter.default is not parameter.empty:
                defaults.setdefault(parameter.name, parameter.default)
    return defaults


def _fill(network: nn.Module, content: Any, checkpoint: str | Path, namespace: Namespace) -> None:
    found = find_state_dict(content, checkpoint, network.state_dict(), str(namespace))
    if found.differences:
        raise WeightsError(
            f"checkpoint {checkpoint} does not fit the network of {namespace}: {found.what_differs()}; give the "
            "checkpoint of this model"
        )
    network.load_state_dict(found.state)
    found.say()
