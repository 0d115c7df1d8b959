"""Deterministic synthetic weights: a network can be run, timed and compared where its checkpoint is not at hand.

Each entry of a state dict is drawn from its own name and shape, so that the same network gets the same weights whoever
builds it, in whatever order, on any machine: 64 bits of the name's SHA-256 seed numpy's Philox generator, which draws
standard normal numbers in float64; these are scaled by the kind of entry, and rounded to float32 at the end. Nothing is
trained: what such a network answers means nothing, except that two implementations of it must agree.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iiszoo.loading import load_model
from iiszoo.protocol import Model

_EMBEDDINGS = {"not_a_point_embed", "no_mask_embed", "iou_token", "mask_tokens"}
_POSITIONS = {"pos_embed", "cls_token", "rel_pos_h", "rel_pos_w"}


def fill(network: nn.Module, conv_gain: float = 1.0, click_scale: float = 1.0) -> nn.Module:
    """The network with synthetic weights in all entries but constant stencils (`.kernel`); it is changed, and returned.

    `conv_gain` scales the weights of convolutions, `click_scale` the learnt scale of a click branch. KeyError for an
    entry that is named otherwise than those of convolutions, linear layers, norms and embeddings.
    """
    weights = synthetic_weights(network.state_dict(), conv_gain, click_scale)
    network.load_state_dict(weights, strict=False)
    return network


def load_synthetic(
    model: str, network: nn.Module, device: str = "cpu", *, conv_gain: float = 1.0, click_scale: float = 1.0
) -> Model:
    """The model of an id, with options or without, as its loader makes it of a checkpoint with synthetic weights.

    `network`: what the checkpoint is one of; it is filled. The others: as for `fill`.
    """
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "synthetic.pth"
        torch.save(fill(network, conv_gain, click_scale).state_dict(), checkpoint)
        return load_model(model, checkpoint=checkpoint, device=device)


def synthetic_weights(
    state: Mapping[str, Tensor], conv_gain: float = 1.0, click_scale: float = 1.0
) -> dict[str, Tensor]:
    """By name, float32 of the entry's shape, int64 zeros for counters; of `state` only names, shapes and types count.

    KeyError for a name of no known kind.
    """
    return {
        name: torch.from_numpy(_entry(name, tuple(value.shape), value.is_floating_point(), conv_gain, click_scale))
        for name, value in state.items()
        if not name.endswith(".kernel")
    }


def _entry(name: str, shape: tuple[int, ...], floating: bool, conv_gain: float, click_scale: float) -> NDArray[Any]:
    if not floating:
        return np.zeros(shape, np.int64)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    normal = np.random.Generator(np.random.Philox(seed)).standard_normal(shape)
    return np.asarray(_scaled(name, normal, conv_gain, click_scale), np.float32)


def _scaled(name: str, normal: NDArray[Any], conv_gain: float, click_scale: float) -> Any:
    """A network's normal numbers as its weights: activations neither vanish nor explode."""
    *parents, kind = name.split(".")
    if kind == "running_mean" or kind == "bias":
        return (0.1 if kind == "running_mean" else 0.05) * normal
    if kind == "running_var":
        return 1 + 0.1 * np.abs(normal)
    if kind == "positional_encoding_gaussian_matrix":
        return normal
    if kind in _POSITIONS:
        return 0.02 * normal
    if kind == "scale" and normal.ndim == 1:
        return click_scale * (1 + 0.1 * normal)
    if kind == "weight" and normal.ndim == 1:
        return 1 + 0.1 * normal
    if (
        kind == "weight"
        and normal.ndim == 2
        and (_EMBEDDINGS & set(parents[-1:]) or "point_embeddings" in parents[-2:-1])
    ):
        return 0.5 * normal
    if kind == "weight":
        gain = conv_gain if normal.ndim == 4 else 1.0
        return gain * normal / math.sqrt(math.prod(normal.shape[1:]))
    raise KeyError(name)
