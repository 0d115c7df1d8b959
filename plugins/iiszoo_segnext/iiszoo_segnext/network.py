"""SegNext's network (arXiv 2404.00741): a windowed ViT encodes the image; a patch embedding of the click maps is added
to its features, and self-attention blocks, a feature pyramid and an MLP head decode the sum.

Our own implementation of `PlainVitModel` of uncbiag/SegNext at 4c45ce8 (`isegm/model/is_plainvit_model.py`), with the
options common to all published models: `fusion_params` of type `self_attention`, images of 1024 x 1024, ViT-B with
global attention in every third block. Parameter names and shapes are the official ones without `UNUSED`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from iiszoo.models.vit_decoder import LevelMixing, SimpleFeaturePyramid
from iiszoo.models.windowed_vit import WindowedViT, block
from iiszoo.models.windows import ViTSizes
from iiszoo_segnext.frame import FRAME

UNUSED = frozenset(f"backbone.fc_norm.{kind}" for kind in ("weight", "bias"))
"""Entries of the official state dicts that upstream never uses."""


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of a network."""

    vit: ViTSizes
    fusion: int
    """Self-attention blocks after the click maps are added."""
    pyramid: tuple[int, int, int, int]
    """Channels of the feature pyramid's levels, from fine to coarse."""
    head: int
    """Channels within the head."""


VIT_B = ViTSizes(dim=768, depth=12, heads=12, patch=16, global_every=3, trained=FRAME)
_SAX1, _SAX2 = (NetworkConfig(VIT_B, fusion, (128, 256, 512, 1024), 256) for fusion in (1, 2))
CONFIGS = {"segnext/vitb-sax1": _SAX1, "segnext/vitb-sax2": _SAX2, "segnext/vitb-sax2-hq": _SAX2}
"""By model id; from `models/default/plainvit_base1024_*.py` of uncbiag/SegNext at 4c45ce8."""


class MLPHead(LevelMixing):
    """The mixed levels, then the logits."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__(channels, width)
        self.seg_conv = nn.Conv2d(width, 1, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Logits (N, 1, 4h, 4w) of the pyramid's maps, from fine to coarse."""
        logits: Tensor = self.seg_conv(self.mixed(levels))
        return logits


class SegNextNetwork(nn.Module):
    """Both halves: `backbone` is the encoder, all else the decoder (`Decoder`)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        vit = config.vit
        self.backbone = WindowedViT(vit)
        self.visual_prompts_encoder = PatchEmbed(None, vit.patch, 3, vit.dim, flatten=False)
        # Unlike the backbone's, these norms have torch's own eps.
        self.fusion_blocks = nn.Sequential(*(block(vit.dim, vit.heads, eps=1e-5) for _ in range(config.fusion)))
        self.neck = SimpleFeaturePyramid(vit.dim, config.pyramid)
        self.head = MLPHead(config.pyramid, config.head)


class Decoder(nn.Module):
    """Image features and click maps in, logits of the object out; shares the modules of a `SegNextNetwork`."""

    def __init__(self, network: SegNextNetwork) -> None:
        super().__init__()
        self.visual_prompts_encoder = network.visual_prompts_encoder
        self.fusion_blocks = network.fusion_blocks
        self.neck, self.head = network.neck, network.head

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """Logits (N, 1, H / 4, W / 4).

        Args:
            features: (N, C, H / 16, W / 16), the encoder's.
            maps: (N, 3, H, W), previous mask (probabilities), disks of positive clicks, disks of negative clicks.
        """
        fused = features + self.visual_prompts_encoder(maps)
        tokens = self.fusion_blocks(fused.flatten(2).transpose(1, 2))
        logits: Tensor = self.head(self.neck(tokens.transpose(1, 2).reshape(fused.shape)))
        return logits


NETWORKS: dict[str, Callable[[], SegNextNetwork]] = {
    model: partial(SegNextNetwork, config) for model, config in CONFIGS.items()
}
"""By model id: builds the network, untrained."""
