"""Copying and comparing the inputs and outputs of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from iiszoo.protocol import Outputs


def fresh(value: Any) -> Any:
    """A copy that shares no tensor, array or container with `value`; any other object in it stays the same object."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(fresh(item) for item in value)
    return value


def change(before: Any, after: Any, name: str) -> str | None:
    """The first thing within `name` that differs between a copy made by `fresh` and what it was made from, or None."""
    if type(before) is not type(after):
        return name
    if isinstance(before, Tensor):
        same = before.dtype == after.dtype and before.shape == after.shape and torch.equal(_bits(before), _bits(after))
        return None if same else name
    if isinstance(before, np.ndarray):
        return None if np.array_equal(before, after, equal_nan=before.dtype.kind == "f") else name
    if isinstance(before, dict):
        if before.keys() != after.keys():
            return f"{name}, which now has the entries {sorted(map(str, after))}"
        return next(filter(None, (change(before[key], after[key], f"{name}[{key!r}]") for key in before)), None)
    if type(before) in (list, tuple):
        if len(before) != len(after):
            return name
        pairs = enumerate(zip(before, after, strict=True))
        return next(filter(None, (change(one, other, f"{name}[{i}]") for i, (one, other) in pairs)), None)
    return None if before is after or before == after else name


def difference(one: Outputs, other: Outputs) -> float:
    """The largest difference between two outputs, element by element; infinite if their sizes or a NaN differ."""
    if len(one) != len(other):
        return float("inf")
    return max(_difference(a, b) for a, b in zip(one, other, strict=True))


def _difference(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    one, other = (value.detach().cpu().double() for value in (one, other))  # they may be on different devices
    apart = (one - other).abs()
    apart[one.isnan() & other.isnan()] = 0
    return float(apart.nan_to_num(float("inf")).max()) if apart.numel() else 0.0


def _bits(tensor: Tensor) -> Tensor:
    return tensor.nan_to_num() if tensor.is_floating_point() else tensor
