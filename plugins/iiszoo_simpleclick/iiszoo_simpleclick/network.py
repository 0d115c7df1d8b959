"""SimpleClick's network (arXiv 2210.11006): a plain ViT with a second patch embedding for clicks and previous mask, a
simple feature pyramid, an MLP head.

Our own implementation of `PlainVitModel` of uncbiag/SimpleClick at f33112e (`isegm/model/is_plainvit_model.py`), with
the options common to all published models: disks of radius 5, `with_prev_mask`, `upsample="x1"`, no `random_split`. The
state dict's keys and shapes are the official ones without `UNUSED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch.nn.functional as F
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from iiszoo.cards import ModelCard
from iiszoo.models.checkpoints import load_part
from iiszoo.models.imagenet import normalise
from iiszoo.models.vit_decoder import ConvReLU, LevelMixing, SimpleFeaturePyramid
from iiszoo.models.windowed_vit import WindowedViT, resized_positions
from iiszoo_simpleclick.configs import CONFIGS, NetworkConfig

UNUSED = frozenset(
    ["backbone.cls_token"]
    + [f"backbone.{layer}.{kind}" for layer in ("fc_norm", "head") for kind in ("weight", "bias")]
    + [f"head.up_conv{i}.{j}.{kind}" for i in (1, 2) for j in range(4) for kind in ("weight", "bias")]
)
"""Entries of the official state dicts that upstream never uses: the classifier of the pre-training, and the layers of
`upsample="x2"` and `"x4"`.
"""


class MLPHead(LevelMixing):
    """The mixed levels, of which training drops a tenth of the channels, then the logits."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__(channels, width)
        self.dropout = nn.Dropout2d(0.1)
        self.conv_seg = nn.Conv2d(width, 1, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Logits (N, 1, 4h, 4w) of the pyramid's maps, from fine to coarse."""
        logits: Tensor = self.conv_seg(self.dropout(self.mixed(levels)))
        return logits


class SimpleClickNetwork(nn.Module):
    """Image, previous mask and click maps in, logits of the object out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        vit = config.vit
        self.patch_embed_coords = PatchEmbed(None, vit.patch, 3, vit.dim)
        self.backbone = WindowedViT(vit)
        self.neck = SimpleFeaturePyramid(vit.dim, config.pyramid)
        self.head = MLPHead(config.pyramid, config.head)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        """Logits (N, 1, H, W).

        Args:
            image: (N, 3, H, W), RGB in [0, 1], of the network's dtype.
            maps: (N, 3, H, W), previous mask (probabilities), disks of positive clicks, disks of negative clicks.

        Raises `BadOption` for a size that does not divide into windows (`iiszoo.models.windows.windows_of`).
        """
        features = self.backbone(normalise(image), self.patch_embed_coords(maps))
        logits = self.head(self.neck(features))
        return F.interpolate(logits, image.shape[2:], mode="bilinear", align_corners=True)

    def load_backbone(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load the backbone from a state dict of MAE's pre-training, such as `mae_pretrain_vit_base.pth`; its positions
        are resized to the training grid, bicubically. Raises `WeightsError` naming `source`.

        Source: `init_weights_from_pretrained` of `isegm/model/modeling/models_vit.py`, and `interpolate_pos_embed` of
        `pos_embed.py` beside it.
        """
        entries = {f"backbone.{name}": value for name, value in state.items()}
        positions = entries.get("backbone.pos_embed")
        if positions is not None and positions.ndim == 3:
            entries["backbone.pos_embed"] = resized_positions(positions, self.backbone.trained_grid)
        load_part(self, entries, [name for name in self.state_dict() if name.startswith("backbone.")], source)


NETWORKS: dict[str, Callable[[], SimpleClickNetwork]] = {
    **{
        f"simpleclick/{name}{training}": partial(SimpleClickNetwork, config)
        for training in ("", "-sbd")
        for name, config in CONFIGS.items()
    },
    **{f"cfricl/{name}": partial(SimpleClickNetwork, CONFIGS[name]) for name in ("vit-h", "vit-b")},
}
"""By model id: builds the network, untrained. The SBD models and CFR-ICL's differ only in training."""


def untrained(card: ModelCard) -> SimpleClickNetwork:
    """The network of a card, for training: what the cards' `network` names; with upstream's initial weights.

    Those are: of the backbone positions normal with a deviation of 0.02, linear layers Xavier-uniform with biases 0
    (`VisionTransformer.init_weights`); of the head's convolutions with a ReLU Kaiming-normal by fan out, biases 0
    (mmcv's `ConvModule`); all others torch's.
    """
    network = NETWORKS[card.id]()
    nn.init.normal_(network.backbone.pos_embed, std=0.02)
    nn.init.xavier_uniform_(network.backbone.patch_embed.proj.weight.flatten(1))
    for module in network.backbone.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    for module in network.head.modules():
        if isinstance(module, ConvReLU):
            nn.init.kaiming_normal_(module.conv.weight, mode="fan_out", nonlinearity="relu")
            if module.conv.bias is not None:
                nn.init.zeros_(module.conv.bias)
    return network
