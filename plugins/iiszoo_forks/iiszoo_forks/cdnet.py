"""CDNet: Conditional Diffusion for Interactive Segmentation (ICCV 2021), in the repository ClickSEG."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import iiszoo
from iiszoo.cards import ModelCard, Option, Source, Weights

if TYPE_CHECKING:
    from iiszoo.upstream import Namespace

api_version = 1

SIZES = {"default": 400, "davis": 600}
"""To which crops are resized, by preset, before the network's own 384 x 384 (`scripts/evaluate_model.py`)."""

_FOLDER = "https://drive.google.com/drive/folders/1XzUlpPqbzAyMt009HVpEeW31ln1FeXfX"
_CITATION = """\
@inproceedings{chen2021cdnet,
  title = {Conditional Diffusion for Interactive Segmentation},
  author = {Chen, Xi and Zhao, Zhiyan and Yu, Feiwu and Zhang, Yilei and Duan, Manni},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2021}
}"""


def _card(variant: str, file: str, training: str, data: str) -> ModelCard:
    return ModelCard(
        id=f"cdnet/{variant}",
        loader="iiszoo_forks.loading:load",
        upstream_loader="iiszoo_forks.loading:load_upstream",
        summary=f"CDNet with ResNet-34, trained on {data}: its authors' own code",
        licence="Apache-2.0",
        paper="Chen et al., Conditional Diffusion for Interactive Segmentation, ICCV 2021",
        weights=(Weights(file, about_size=94_000_000, page=_FOLDER),),
        weights_licence="Apache-2.0",
        upstream=Source(
            "https://github.com/XavierCHEN34/ClickSEG", "d61a76b2c88c56106e97d505ce41d16aa2535021", "Apache-2.0"
        ),
        n_parameters=23_465_815,
        ragged=True,
        training_datasets=(training,),
        options=(Option("preset", "davis: crops of 600, not 400, as published for DAVIS", "default"),),
        notes="Its answer is a mask: probabilities of 0 and 1.",
        citation=_CITATION,
    )


CARDS = (
    _card("resnet34", "cdnet_res34_cclvs.pth", "coco_lvis", "COCO+LVIS"),
    _card("resnet34-sbd", "cdnet_res34_sbd.pth", "sbd-train", "SBD"),
)


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=card is CARDS[0])


def build(card: ModelCard, clone: Namespace) -> Any:
    """The network of `models/cdnet/cdnet_res34_*.py`."""
    return clone.import_module("isegm.model.is_deeplab_model").DeeplabModel(
        backbone="resnet34",
        deeplab_ch=128,
        aspp_dropout=0.2,
        use_leaky_relu=True,
        use_rgb_conv=False,
        use_disks=True,
        norm_radius=5,
        with_prev_mask=False,
    )


def settings(preset: str) -> dict[str, Any]:
    """What upstream's predictor is made with. Raises `BadOption`."""
    from iiszoo.models.click_options import preset_size

    zoom_in = {"target_size": preset_size(preset, SIZES), "expansion_ratio": 1.4}
    return {"brs_mode": "CDNet", "infer_size": 384, "zoom_in": zoom_in}
