"""Where a result comes from: what decides it (identity), and under what it was measured (provenance)."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from iiszoo import __version__, assets, files, plugins
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption, one_line
from iiszoo.file_names import printable
from iiszoo.registry import (
    function_name,
    is_function,
    model_name,
    option_name,
    options_of,
    registry,
    resolve_model,
)

_LIBRARIES = (
    "torch", "torchvision", "numpy", "opencv-python", "scipy", "numba", "timm", "segment-anything", "onnxruntime"
)  # fmt: skip


def model_identity(
    model: str | Callable[..., Any], checkpoint: Path | None, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What decides a model's answers, found without loading it: its resolved id, code version, weights and options.

    A function that can be imported by its name is known by the hash of the file that defines it, a plugin's model by
    the plugin's version; any other callable only by itself, so that no later process takes its results for another's.
    `weights` is left out as long as the hash of one is not known: upstream states none, and it was not fetched yet.
    """
    options = options or {}
    if not isinstance(model, str):
        from iiszoo.models import ProgressiveMerge
        from iiszoo.protocol import Model

        if isinstance(model, Model):
            options = {**model.options, **options}
            if model.card is not None:
                return _card_identity(model.card, model.checkpoint, options)
            inner = model.function.model if isinstance(model.function, ProgressiveMerge) else model
            model = inner.function
    if is_function(model):
        name, named = options_of(model) if isinstance(model, str) else (model, {})
        known, options = _function_identity(name), {**named, **options}
        return {**known, "id": option_name(known["id"], options), "options": options, "weights": []}
    card, named = resolve_model(str(model))
    return _card_identity(card, checkpoint, {**named, **options})


def _card_identity(card: ModelCard, checkpoint: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    plugin = registry().models.plugin(card)
    name = model_name(card, options)
    code = dict.fromkeys([f"{plugin.distribution} {plugin.version}", f"iiszoo {__version__}"])
    identity: dict[str, Any] = {"id": name, "code": ", ".join(code), "options": options}
    if checkpoint is not None:
        return {**identity, "weights": [f"checkpoint sha256 {sha256_of(checkpoint)}"]}
    hashes = [(file.filename, assets.status(card, file).sha256) for file in card.weights]
    if all(sha256 for _, sha256 in hashes):
        identity["weights"] = [f"{filename} sha256 {sha256}" for filename, sha256 in hashes]
    return identity


def _function_identity(model: str | Callable[..., Any]) -> dict[str, str]:
    name = function_name(model)
    module, _, attribute = name.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # the package that holds the module is imported, and may raise anything
        if isinstance(model, str):
            raise BadOption(f"model {model!r} cannot be imported: {one_line(error)}") from error
        spec = None
    if isinstance(model, str) and spec is None:
        raise BadOption(f"model {model!r}: there is no module {module!r}; it must be importable from here")
    importable = isinstance(model, str) or getattr(sys.modules.get(module), attribute, None) is model
    if importable and spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        return {"id": name, "code": f"sha256 {sha256_of(Path(spec.origin))}"}
    return {"id": name, "code": f"object {id(model)} of process {os.getpid()} on {platform.node()}"}


def sha256_of(path: Path) -> str:
    """The hex digest of a file's bytes. Raises `BadOption` naming a file that cannot be read."""
    try:
        return files.sha256(path)[0]
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}") from error


def environment(device: str, worker: dict[str, Any] | None = None) -> dict[str, Any]:
    """Versions of iiszoo, of every installed plugin and of the libraries that compute; machine and device; argv.

    `worker` is what the interpreter that the model lived in reports of itself, where that was another one.
    """
    here = {
        "argv": [printable(argument) for argument in sys.argv],
        "device": _device_name(device) if worker is None else worker["device"],
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "plugins": {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in plugins.installed()},
    }
    return here if worker is None else {**here, "worker": worker}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device
