"""RITM's own code, for `iiszoo upstream verify`: the cards' `upstream_loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import ModelCard

if TYPE_CHECKING:
    from iiszoo.upstream import IsegmModel, Namespace

_SIZES = {"h18s": (18, 48, True), "h32": (32, 128, False)}
"""(width, ocr_width, small) of the variants that are not HRNet-18."""


def load_upstream(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> IsegmModel:
    """Upstream's network and predictor with the settings of its `evaluate_model.py NoBRS`; untrained without file."""
    from iiszoo.upstream import isegm_model

    width, ocr_width, small = _SIZES.get(card.id.partition("/")[2], (18, 64, False))

    def build(clone: Namespace) -> Any:
        return clone.import_module("isegm.model.is_hrnet_model").HRNetModel(
            width=width,
            ocr_width=ocr_width,
            small=small,
            with_prev_mask="mask" in card.prompts,
            with_aux_output=True,
            use_leaky_relu=True,
            use_rgb_conv=False,
            use_disks=True,
            norm_radius=5,
        )

    return isegm_model(card.upstream, checkpoint, build=build, threshold=card.threshold, device=device)
