"""A SegNext small enough for tests: the real frame and decoder around a narrow ViT of three blocks."""

from __future__ import annotations

from typing import Any

from iiszoo.models.compute import Compute
from iiszoo.models.synthetic_weights import fill, normal
from iiszoo.models.windows import ViTSizes
from iiszoo_segnext.loading import model_of
from iiszoo_segnext.model import SegNext
from iiszoo_segnext.network import NetworkConfig, SegNextNetwork

SMALL = NetworkConfig(
    ViTSizes(dim=16, depth=3, heads=2, patch=16, global_every=3, trained=1024), fusion=1, pyramid=(8, 8, 8, 8), head=8
)


def small_segnext() -> SegNextNetwork:
    """Synthetic weights; masks are neither empty nor full, and clicks change them."""
    network: Any = fill(SegNextNetwork(SMALL), own={"pos_embed": normal(0.02)})
    network.visual_prompts_encoder.proj.weight.data *= 20
    network.head.seg_conv.weight.data *= 8
    network.head.seg_conv.bias.data += 4.4
    return network.eval().requires_grad_(False)


def small_model(device: str = "cpu", **options: Any) -> SegNext:
    return model_of(small_segnext(), SMALL, Compute(device, **options))
