"""GPCIS: Interactive Segmentation as Gaussian Process Classification (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import iiszoo
from iiszoo.cards import ModelCard, Option, Source, Weights

if TYPE_CHECKING:
    from iiszoo.upstream import Namespace

api_version = 1

CROPS = {"default": 400, "davis": 600, "sbd": 400}
INPUTS = {"default": 384, "davis": 384, "sbd": 256}
"""To which crops, and then the network's input, are resized, by preset (`scripts/evaluate_model.py`)."""

_COMMIT = "6460415a2e784f5623a0c859971f884a89eb0fd0"
CARDS = (
    ModelCard(
        id="gpcis/resnet50",
        loader="iiszoo_forks.loading:load",
        upstream_loader="iiszoo_forks.loading:load_upstream",
        summary="a Gaussian process on ResNet-50's features, trained on SBD: its authors' own code",
        licence="MIT",
        paper="Zhou et al., Interactive Segmentation as Gaussian Process Classification, CVPR 2023",
        weights=(
            Weights(
                "GPCIS_Resnet50.pth",
                (
                    "https://media.githubusercontent.com/media/zmhhmz/GPCIS_CVPR2023/"
                    f"{_COMMIT}/checkpoints/GPCIS_Resnet50.pth",
                ),
                "1b59a4c8b7f1ea300abe8add185f8ab98beeeac01bd80bb2a2d029200195c3c9",
                157_934_784,
            ),
        ),
        weights_licence="MIT",
        upstream=Source("https://github.com/zmhhmz/GPCIS_CVPR2023", _COMMIT, "MIT"),
        n_parameters=39_388_964,
        prompts=("clicks", "mask"),
        ragged=True,
        training_datasets=("sbd-train",),
        options=(
            Option("preset", "davis: crops of 600, not 400; sbd: an input of 256, not 384, as published", "default"),
        ),
        citation="""\
@inproceedings{zhou2023gpcis,
  title = {Interactive Segmentation as Gaussian Process Classification},
  author = {Zhou, Minghao and Wang, Hong and Zhao, Qian and Li, Yuexiang and Huang, Yawen and Meng, Deyu and Zheng,
            Yefeng},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2023}
}""",
    ),
)


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=True)


def build(card: ModelCard, clone: Namespace) -> Any:
    """The network of `models/gp_sbd_resnet50.py`."""
    return clone.import_module("isegm.model.is_gp_resnet50").GpModel(
        backbone="resnet50", use_leaky_relu=True, use_disks=True, binary_prev_mask=False, with_prev_mask=True
    )


def settings(preset: str) -> dict[str, Any]:
    """What upstream's predictor is made with. Raises `BadOption`."""
    from iiszoo.models.click_options import preset_size

    zoom_in = {"target_size": preset_size(preset, CROPS), "expansion_ratio": 1.4}
    return {"brs_mode": "Baseline", "infer_size": INPUTS[preset], "zoom_in": zoom_in}
