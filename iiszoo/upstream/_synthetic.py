"""Synthetic weights with which a network of isegm responds to clicks, so that a comparison means something.

With randomly drawn weights a mask is all or nothing, and nothing is ever zoomed in on. So the last convolution to one
channel, if there is any, is fitted to one image with one click: object in a disc around it, and nowhere else.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iiszoo.errors import UpstreamError, raised_as
from iiszoo.models.synthetic_weights import about, normal, synthetic_weights
from iiszoo.upstream._isegm import IsegmModel

CONV_GAIN = 0.8
OWN = {
    "kernel": None,
    "scale": about(20),
    "pos_embed": normal(0.02),
    "cls_token": normal(0.02),
    "rel_pos_h": normal(0.02),
    "rel_pos_w": normal(0.02),
    "gamma": about(0.1),
    "in_proj_weight": lambda z: z / math.sqrt(z.shape[1]),
    "in_proj_bias": normal(0.05),
    "omega": normal(0.25),
    "omega_var": about(0.025),
    "logsigma2": about(1),
    "weights": normal(0.1),
}
"""How to draw entries that forks of isegm name themselves: constant stencils, the learnt scale of the click maps,
embeddings of transformers, the scale of a residual branch, torch's attention, and the prior and kernel of GPCIS's
Gaussian process.
"""
_LOGIT = 2.0
_RADIUS = 0.2
"""Of the disc, as a fraction of the crop's shorter side."""
_RIDGE = 1e-3


def write_synthetic_checkpoint(upstream: IsegmModel, image: Tensor, file: Path) -> None:
    """Give upstream's network synthetic weights, fitted to `image` float32 (3, H, W), and write them to `file`.

    The file also has the network's config, as far as the fork notes one, so that it can be built from the file alone.
    Raises `UpstreamError` if the network has an entry of an unknown kind, or cannot answer a click.
    """
    network = upstream.network
    try:
        weights = synthetic_weights(network.state_dict(), CONV_GAIN, OWN)
    except KeyError as error:
        raise UpstreamError(
            f"no synthetic weights can be made for the network of {upstream.namespace}: {error} is an entry of an "
            "unknown kind; give a checkpoint"
        ) from error
    with raised_as(UpstreamError, f"synthetic weights cannot be fitted to the network of {upstream.namespace}"):
        network.load_state_dict(weights, strict=False)  # except constant stencils
        _fit_last_layer(upstream, image)
    config = getattr(network, "_config", None)  # of isegm.utils.serialization
    torch.save({"state_dict": network.state_dict(), **({} if config is None else {"config": config})}, file)


@torch.no_grad()
def _fit_last_layer(upstream: IsegmModel, image: Tensor) -> None:
    calls: list[tuple[nn.Conv2d, Tensor]] = []

    def note(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls.append((layer, inputs[0]))

    last = [m for m in upstream.network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 1]
    hooks = [layer.register_forward_hook(note) for layer in last if layer.groups == 1 and layer.padding_mode == "zeros"]
    middle = (image.shape[1] // 2, image.shape[2] // 2)
    upstream(image[None], upstream.init_z(image[None]), [[[middle]]], [[[]]])
    for hook in hooks:
        hook.remove()
    if calls:
        _fit(*calls[-1])


def _fit(layer: nn.Conv2d, features: Tensor) -> None:
    """Ridge regression from features (N, C, h, w) of an image clicked in its centre to the logits of a disc there."""
    height, width = layer(features[:1]).shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    squared = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2
    disc = (squared <= (_RADIUS * min(height, width)) ** 2).flatten()
    wanted = torch.where(disc, _LOGIT, -_LOGIT).double()
    patches = F.unfold(
        features[:1], layer.kernel_size, layer.dilation, cast("tuple[int, int]", layer.padding), layer.stride
    )[0]
    known = torch.cat((patches, features.new_ones(1, height * width))).double().cpu()
    # the disc counts as much as all that is around it, or few features would find it worth its error
    share = disc.double().mean()
    weight = torch.where(disc, 0.5 / share, 0.5 / (1 - share)).sqrt()
    known, wanted = known * weight, wanted * weight
    gram = known @ known.T
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(known), dtype=torch.float64)
    solution = torch.linalg.solve(gram, known @ wanted)
    layer.weight.copy_(solution[:-1].view_as(layer.weight))
    if layer.bias is not None:
        layer.bias.copy_(solution[-1:])
