"""SimpleClick's own code, for `iiszoo upstream verify`: the cards' `upstream_loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import ModelCard
from iiszoo_simpleclick.configs import config_of

if TYPE_CHECKING:
    from iiszoo.upstream import IsegmModel, Namespace


def load_upstream(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> IsegmModel:
    """Upstream's network and predictor with crops of 448 x 448 from the first click on; untrained without file."""
    return plain_vit(card, device=device, checkpoint=checkpoint)


def plain_vit(card: ModelCard, *, device: str, checkpoint: Path | None, **options: Any) -> IsegmModel:
    """`load_upstream` for SimpleClick and its forks; `options`: further ones of their `get_predictor`."""
    from iiszoo.upstream import isegm_model

    config = config_of(card.id)
    vit = config.vit

    def build(clone: Namespace) -> Any:
        return clone.import_module("isegm.model.is_plainvit_model").PlainVitModel(
            backbone_params={
                "img_size": (448, 448),
                "patch_size": (vit.patch, vit.patch),
                "in_chans": 3,
                "embed_dim": vit.dim,
                "depth": vit.depth,
                "num_heads": vit.heads,
                "mlp_ratio": 4,
                "qkv_bias": True,
            },
            neck_params={"in_dim": vit.dim, "out_dims": list(config.pyramid)},
            head_params={
                "in_channels": list(config.pyramid),
                "in_index": [0, 1, 2, 3],
                "dropout_ratio": 0.1,
                "num_classes": 1,
                "loss_decode": None,  # for training only
                "align_corners": False,
                "upsample": "x1",
                "channels": config.head,
            },
            use_disks=True,
            norm_radius=5,
            with_prev_mask=True,
        )

    zoom_in = {"skip_clicks": -1, "target_size": (448, 448)}
    return isegm_model(
        card.upstream, checkpoint, zoom_in=zoom_in, threshold=card.threshold, build=build, device=device, **options
    )
