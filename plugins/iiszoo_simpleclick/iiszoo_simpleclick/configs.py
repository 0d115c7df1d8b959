"""The sizes of SimpleClick's four networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkConfig:
    """The parameters in which the networks differ."""

    dim: int
    """Channels of a token."""
    depth: int
    """Transformer blocks."""
    heads: int
    patch: int
    """Side of a patch in pixels."""
    global_every: int
    """The last of each such group of blocks attends to the whole image, the others within windows; divides `depth`."""
    pyramid: tuple[int, int, int, int]
    """Channels of the feature pyramid's levels, from fine to coarse."""
    head: int
    """Channels within the head."""


CONFIGS = {
    "vit-b": NetworkConfig(768, 12, 12, 16, 6, (128, 256, 512, 1024), 256),
    "vit-l": NetworkConfig(1024, 24, 16, 16, 6, (192, 384, 768, 1536), 256),
    "vit-h": NetworkConfig(1280, 32, 16, 14, 8, (240, 480, 960, 1920), 256),
    "xtiny": NetworkConfig(160, 8, 4, 16, 2, (96, 192, 288, 384), 128),
}
"""From `models/iter_mask/plainvit_*448_*_itermask.py` of uncbiag/SimpleClick at f33112e. Its rule for `global_every`: 6
if there are 12 blocks, else a quarter of the blocks; so vit-b has two global blocks, the others four.
"""


def config_of(model: str) -> NetworkConfig:
    """The configuration of a model id, `simpleclick/vit-b` or `simpleclick/vit-b-sbd`."""
    return CONFIGS[model.partition("/")[2].removesuffix("-sbd")]
