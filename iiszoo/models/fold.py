"""Batch norms folded into the convolutions before them: in evaluation both are one affine map of each channel.

Which convolution feeds which norm is seen in one call of the network, so that it does not matter how the network's code
is written. The folded network's answers are compared with the network's: a convolution whose output is used elsewhere
too must keep it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from iiszoo.models.exactness import TOLERANCE, apart, tf32

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def folded(network: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """A copy of a network in evaluation mode, without the batch norms that directly follow a convolution.

    `inputs`: of one call, on the network's device. If the copy would answer differently, nothing is folded.
    """
    copied = copy.deepcopy(network).eval()
    if not any(isinstance(module, _NORMS) for module in network.modules()):
        return copied
    with torch.no_grad(), tf32(False):
        wanted = copied(*inputs)
        for conv, norm in _pairs(copied, inputs):
            _fold(copied.get_submodule(conv), copied, norm)
        return copied if _alike(wanted, copied(*inputs)) else copy.deepcopy(network).eval()


def _pairs(network: nn.Module, inputs: Sequence[Tensor]) -> list[tuple[str, str]]:
    """Names of the convolutions that are called once and feed a norm that is called once, and of these norms."""
    made: dict[int, tuple[str, Tensor]] = {}  # by id of an output, which is kept so that the id stays its own
    calls: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    hooks = []
    for name, module in network.named_modules():

        def seen(module: nn.Module, args: tuple[Tensor, ...], answer: Tensor, name: str = name) -> None:
            calls[name] = calls.get(name, 0) + 1
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                made[id(answer)] = name, answer
            elif id(args[0]) in made:
                found.append((made[id(args[0])][0], name))

        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or type(module) in (*_NORMS, BatchNormAct2d):
            hooks.append(module.register_forward_hook(seen))
    try:
        network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1]


def _fold(conv: nn.Module, network: nn.Module, name: str) -> None:
    """Put the norm `name` of the network into `conv`, and what else it does in its place."""
    norm: Any = network.get_submodule(name)
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    transposed = isinstance(conv, nn.ConvTranspose2d)
    if norm.running_mean is None or (transposed and conv.groups > 1):
        return
    weight, bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transposed,
    )
    conv.weight, conv.bias = weight, bias
    rest = nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, rest)


def _alike(one: Any, other: Any) -> bool:
    ones, others = ((answer,) if isinstance(answer, Tensor) else tuple(answer) for answer in (one, other))
    return all(apart(a, b) <= TOLERANCE for a, b in zip(ones, others, strict=True))
