"""The sizes of SimpleClick's four networks."""

from __future__ import annotations

from dataclasses import dataclass

from iiszoo.models.windows import ViTSizes

TRAINED = 448
"""Side in pixels of the training images."""


@dataclass(frozen=True)
class NetworkConfig:
    """The parameters in which the networks differ."""

    vit: ViTSizes
    pyramid: tuple[int, int, int, int]
    """Channels of the feature pyramid's levels, from fine to coarse."""
    head: int
    """Channels within the head."""


CONFIGS = {
    "vit-b": NetworkConfig(ViTSizes(768, 12, 12, 16, 6, TRAINED), (128, 256, 512, 1024), 256),
    "vit-l": NetworkConfig(ViTSizes(1024, 24, 16, 16, 6, TRAINED), (192, 384, 768, 1536), 256),
    "vit-h": NetworkConfig(ViTSizes(1280, 32, 16, 14, 8, TRAINED), (240, 480, 960, 1920), 256),
    "xtiny": NetworkConfig(ViTSizes(160, 8, 4, 16, 2, TRAINED), (96, 192, 288, 384), 128),
}
"""From `models/iter_mask/plainvit_*448_*_itermask.py` of uncbiag/SimpleClick at f33112e. Its rule for `global_every`: 6
if there are 12 blocks, else a quarter of the blocks; so vit-b has two global blocks, the others four.
"""


def config_of(model: str) -> NetworkConfig:
    """The configuration of a model id, `simpleclick/vit-b`, `simpleclick/vit-b-sbd` or `cfricl/vit-b`."""
    return CONFIGS[model.partition("/")[2].removesuffix("-sbd")]
