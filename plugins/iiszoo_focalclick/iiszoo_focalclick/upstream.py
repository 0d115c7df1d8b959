"""ClickSEG's own code, for `iiszoo upstream verify`: the cards' `upstream_loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo.cards import ModelCard

if TYPE_CHECKING:
    from iiszoo.upstream import IsegmModel, Namespace

_HRNETS = {"hrnet18s": (18, 48, True), "hrnet32": (32, 128, False)}
"""(width, ocr_width, small)."""


def load_upstream(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> IsegmModel:
    """Upstream's network and FocalClick predictor at 256 x 256; untrained if `checkpoint` is None."""
    from iiszoo.upstream import isegm_model

    backbone, pipeline = card.id.partition("/")[2].split("-")[:2]
    shared = {
        "pipeline_version": pipeline,
        "use_leaky_relu": True,
        "use_rgb_conv": False,
        "use_disks": True,
        "norm_radius": 5,
        "binary_prev_mask": False,
        "with_prev_mask": True,
        "with_aux_output": True,
    }

    def build(clone: Namespace) -> Any:
        if backbone in _HRNETS:
            width, ocr_width, small = _HRNETS[backbone]
            hrnet = clone.import_module("isegm.model.is_hrnet_model").HRNetModel
            return hrnet(width=width, ocr_width=ocr_width, small=small, **shared)
        segformer = clone.import_module("isegm.model.is_segformer_model").SegFormerModel
        return segformer(model_version=backbone.removeprefix("segformer"), **shared)

    return isegm_model(
        card.upstream,
        checkpoint,
        brs_mode="FocalClick",
        infer_size=256,
        threshold=card.threshold,
        build=build,
        device=device,
    )
