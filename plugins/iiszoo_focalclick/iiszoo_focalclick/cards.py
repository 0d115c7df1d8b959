"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "focalclick/segformerb3-s2-combined"

_FOLDER = "https://drive.google.com/drive/folders/1XzUlpPqbzAyMt009HVpEeW31ln1FeXfX"
_OPTIONS = (
    Option("size", "the side in pixels of the square that crops are resized to, a multiple of 32", 256),
    Option(
        "progressive_merge",
        "published, fixed or none: how outputs are merged in a session that started from a mask; others are not merged",
        "published",
    ),
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{chen2022focalclick,
  title = {{FocalClick}: Towards Practical Interactive Image Segmentation},
  author = {Chen, Xi and Zhao, Zhiyan and Zhang, Yilei and Duan, Manni and Qi, Donglian and Zhao, Hengshuang},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2022}
}"""
_COMBINED = (
    "Trained on COCO+LVIS, YouTube-VOS, ADE20K, saliency sets (MSRA10K, DUT-TR), HFlicker and thin objects, by the "
    "code base's configuration."
)


def _card(variant: str, backbone: str, n_parameters: int, about_size: int, file: str, url: str = "") -> ModelCard:
    pipeline = variant.split("-")[1].upper()
    return ModelCard(
        id=f"focalclick/{variant}",
        loader="iiszoo_focalclick.loading:load",
        upstream_loader="iiszoo_focalclick.upstream:load_upstream",
        summary=f"FocalClick with {backbone}, pipeline {pipeline}"
        + (", trained on several datasets together" if variant.endswith("combined") else ""),
        licence="Apache-2.0",
        paper="Chen et al., FocalClick: Towards Practical Interactive Image Segmentation, CVPR 2022 (arXiv 2204.02574)",
        weights=(Weights(file, (url,) if url else (), about_size=about_size, page=_FOLDER),),
        weights_licence="Apache-2.0 by the repository's LICENSE, MIT by its README",
        upstream=Source(
            "https://github.com/alibaba/ClickSEG", "d61a76b2c88c56106e97d505ce41d16aa2535021", "Apache-2.0"
        ),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        training_datasets=("coco_lvis",),
        options=_OPTIONS,
        precisions=PRECISIONS,
        notes=_COMBINED if variant.endswith("combined") else "",
        citation=_CITATION,
    )


_B3, _B0, _H18S, _H32 = 183_000_000, 15_100_000, 17_400_000, 124_900_000  # bytes, from the README's MiB
CARDS = (
    _card(
        "segformerb3-s2-combined",
        "SegFormer-B3",
        45_687_941,
        _B3,
        "combined_segformerb3s2.pth",
        "drive:1DkFun_tiw7z7RpjDtwqV65k1e9jxnLkr",
    ),
    _card("segformerb3-s2", "SegFormer-B3", 45_687_941, _B3, "segformerB3_S2_cclvs.pth"),
    _card("segformerb0-s1", "SegFormer-B0", 3_740_773, _B0, "segformerB0_S1_cclvs.pth"),
    _card("segformerb0-s2", "SegFormer-B0", 3_740_773, _B0, "segformerB0_S2_cclvs.pth"),
    _card("hrnet18s-s1", "HRNet-18s", 4_231_377, _H18S, "hrnet18s_S1_cclvs.pth"),
    _card("hrnet18s-s2", "HRNet-18s", 4_231_377, _H18S, "hrnet18s_S2_cclvs.pth"),
    _card("hrnet32-s2", "HRNet-32", 30_967_813, _H32, "hrnet32_S2_cclvs.pth"),
    _card("hrnet32-s2-combined", "HRNet-32", 30_967_813, _H32, "hrnet32_S2_comb.pth"),
)
