"""The environment that a result is measured in; the model's identity is in `iiszoo.model_reference`."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from iiszoo import plugins
from iiszoo.file_names import printable

_LIBRARIES = (
    "torch", "torchvision", "numpy", "opencv-python", "scipy", "numba", "timm", "segment-anything", "onnxruntime"
)  # fmt: skip


Elsewhere = dict[str, dict[str, Any]]
"""What reports about itself, with its `device`, if models do not run in this process's environment: `worker`, another
interpreter; `node`, another machine. `robot_worker` is the interpreter that the robot runs in, if it is another one.
"""


def environment(device: str, threads: int, elsewhere: Elsewhere | None = None) -> dict[str, Any]:
    """Versions of iiszoo, of every installed plugin and of the libraries that compute; machine and device; argv.

    `threads`: of torch, on the CPU, in each process.
    """
    of_model = next((report for name, report in (elsewhere or {}).items() if name != "robot_worker"), None)
    here = {
        "argv": [printable(argument) for argument in sys.argv],
        "device": _device_name(device) if of_model is None else of_model["device"],
        "threads": threads,
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "plugins": {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in plugins.installed()},
    }
    return {**here, **(elsewhere or {})}


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
