"""What a clone's predictor remembers between clicks, read as plain values and restored into a fresh one.

A predictor's own `get_states` is incomplete (the BRS predictors' lacks the previous prediction, FocalClick's predictor
has none at all); so every plain value among its attributes, and among those of its parts, is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Memory = dict[str, Any]
"""Attribute -> `Memory` of a part, a list of them for a list of parts, or a plain value."""

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.ndarray, np.generic, Tensor, torch.device, torch.dtype)
_IMAGE = "original_image"
"""The attribute in which isegm's predictors keep the image; each one is given the image again."""


def remember(thing: Any, prefix: str, within: tuple[Any, ...] = ()) -> Memory:
    """The plain values of an object of the clone; `prefix` begins the module names of the clone's classes.

    Networks, functions and other objects are left out: a fresh predictor has its own. `within`: the objects that
    contain this one, to which a part may refer back.
    """
    memory: Memory = {}
    within = (*within, thing)
    for name, value in vars(thing).items():
        if name == _IMAGE or any(value is whole for whole in within):
            continue
        if _is_part(value, prefix):
            memory[name] = remember(value, prefix, within)
        elif isinstance(value, list) and value and all(_is_part(item, prefix) for item in value):
            memory[name] = [remember(item, prefix, within) for item in value]
        elif _is_plain(value):
            memory[name] = value
    return memory


def recall(thing: Any, memory: Memory, prefix: str) -> None:
    """Restore into an object what another of its kind remembered; arrays are copied, so that the memory does not
    change.
    """
    for name, value in memory.items():
        part = vars(thing).get(name)
        if isinstance(value, dict) and _is_part(part, prefix):
            recall(part, value, prefix)
        elif isinstance(part, list) and part and all(_is_part(item, prefix) for item in part):
            for item, remembered in zip(part, value, strict=True):
                recall(item, remembered, prefix)
        else:
            setattr(thing, name, _copy(value))


def _is_part(value: Any, prefix: str) -> bool:
    return type(value).__module__.startswith(prefix) and not isinstance(value, nn.Module) and hasattr(value, "__dict__")


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, _PLAIN)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    return type(value)(_copy(item) for item in value) if type(value) in (list, tuple) else value
