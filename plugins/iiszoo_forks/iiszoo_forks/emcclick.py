"""EMC-Click: Efficient Mask Correction for Click-Based Interactive Image Segmentation (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import iiszoo
from iiszoo.cards import ModelCard, Option, Source, Weights

if TYPE_CHECKING:
    from iiszoo.upstream import Namespace

api_version = 1

SIZES = {"default": 384, "davis": 576}
"""To which the shorter side of an image is scaled, by preset (`--eval-mode emc-click`)."""

_HRNETS = {"hrnet18s": (18, 48, True), "hrnet18": (18, 64, False), "hrnet32": (32, 128, False)}
"""(width, ocr_width, small)."""
_CITATION = """\
@inproceedings{du2023emcclick,
  title = {Efficient Mask Correction for Click-Based Interactive Image Segmentation},
  author = {Du, Fei and Yuan, Jianlong and Wang, Zhibin and Wang, Fan},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2023}
}"""


def _card(variant: str, backbone: str, file: str, n_parameters: int) -> ModelCard:
    return ModelCard(
        id=f"emcclick/{variant}",
        loader="iiszoo_forks.loading:load",
        upstream_loader="iiszoo_forks.loading:load_upstream",
        summary=f"EMC-Click with {backbone}, from the second click on a small network alone: its authors' own code",
        licence="Apache-2.0, by its LICENSE; MIT, by its README",
        paper="Du et al., Efficient Mask Correction for Click-Based Interactive Image Segmentation, CVPR 2023",
        weights=(Weights(file, page="https://github.com/feiaxyt/EMC-Click/releases"),),
        weights_licence="Apache-2.0, by its LICENSE; MIT, by its README",
        upstream=Source(
            "https://github.com/feiaxyt/EMC-Click", "e660ad0081a6be8519978c57c8c3149fda7052f6", "Apache-2.0"
        ),
        n_parameters=n_parameters,
        ragged=True,
        training_datasets=("coco_lvis",),
        options=(Option("preset", "davis: the shorter side at 576, not 384, as published for DAVIS", "default"),),
        notes=(
            "Images are scaled until their shorter side is 384: memory and time grow with the ratio of the sides; a "
            "strip of a few rows does not fit into memory."
        ),
        citation=_CITATION,
    )


CARDS = (
    _card("hrnet18s", "HRNet-18s", "hr18s.pth", 4_322_416),
    _card("hrnet18", "HRNet-18", "hr18.pth", 10_239_828),
    _card("hrnet32", "HRNet-32", "hr32.pth", 31_171_460),
    _card("segformerb0", "SegFormer-B0", "segb0.pth", 3_828_770),
    _card("segformerb3", "SegFormer-B3", "segb3.pth", 45_896_738),
)


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=card is CARDS[0])


def build(card: ModelCard, clone: Namespace) -> Any:
    """The network of `models/emcclick/*_att_cclvis.py`."""
    backbone = card.id.partition("/")[2]
    channels = 64 if backbone in ("hrnet18s", "segformerb0") else 96
    shared = {
        "with_aux_output": True,
        "use_leaky_relu": True,
        "use_rgb_conv": False,
        "use_disks": True,
        "norm_radius": 5,
        "with_prev_mask": True,
        "refiner_conf": {"conv_layer": "xconv2", "mid_dims": channels, "corr_channel": channels},
        "only_first_click": True,
    }
    if backbone in _HRNETS:
        width, ocr_width, small = _HRNETS[backbone]
        hrnet = clone.import_module("isegm.model.is_refine_model").HRNetRefineModel
        return hrnet(width=width, ocr_width=ocr_width, small=small, **shared)
    segformer = clone.import_module("isegm.model.is_refine_segformer_model").SegFormerModel
    return segformer(model_version=backbone.removeprefix("segformer"), binary_prev_mask=False, **shared)


def settings(preset: str) -> dict[str, Any]:
    """What upstream's predictor is made with; it scales whole images and does not zoom in. Raises `BadOption`."""
    from iiszoo.models.click_options import preset_size

    return {"brs_mode": "EMC-Click", "zoom_in": {"target_size": preset_size(preset, SIZES)}}
