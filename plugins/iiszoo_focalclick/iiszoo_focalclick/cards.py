"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Source, Weights

DEFAULT = "focalclick/segformerb3-s2-combined"

_FOLDER = "https://drive.google.com/drive/folders/1XzUlpPqbzAyMt009HVpEeW31ln1FeXfX"
_OPTIONS = (
    "size=PIXELS: the square that crops are resized to, 256 as published. progressive_merge=published (the default), "
    "fixed or none: how outputs are merged in a session that started from a mask; other sessions are not merged."
)
_COMBINED = (
    "Trained on COCO+LVIS, YouTube-VOS, ADE20K, saliency sets (MSRA10K, DUT-TR), HFlicker and thin objects, by the "
    "code base's configuration."
)


def _card(variant: str, backbone: str, n_parameters: int, file: str, url: str = "") -> ModelCard:
    pipeline = variant.split("-")[1].upper()
    where = "" if url else f"Download the file from {_FOLDER} and add it with `iiszoo weights add`, under any name. "
    return ModelCard(
        id=f"focalclick/{variant}",
        loader="iiszoo_focalclick.loading:load",
        upstream_loader="iiszoo_focalclick.upstream:load_upstream",
        summary=f"FocalClick with {backbone}, pipeline {pipeline}"
        + (", trained on several datasets together" if variant.endswith("combined") else ""),
        licence="Apache-2.0",
        paper="Chen et al., FocalClick: Towards Practical Interactive Image Segmentation, CVPR 2022 (arXiv 2204.02574)",
        weights=(Weights(file, (url,) if url else ()),),
        weights_licence="Apache-2.0 by the repository's LICENSE, MIT by its README",
        upstream=Source(
            "https://github.com/alibaba/ClickSEG", "d61a76b2c88c56106e97d505ce41d16aa2535021", "Apache-2.0"
        ),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        training_datasets=("coco_lvis",),
        notes=where + (_COMBINED + " " if variant.endswith("combined") else "") + _OPTIONS,
    )


CARDS = (
    _card(
        "segformerb3-s2-combined",
        "SegFormer-B3",
        45_687_941,
        "combined_segformerb3s2.pth",
        "drive:1DkFun_tiw7z7RpjDtwqV65k1e9jxnLkr",
    ),
    _card("segformerb3-s2", "SegFormer-B3", 45_687_941, "segformerB3_S2_cclvs.pth"),
    _card("segformerb0-s1", "SegFormer-B0", 3_740_773, "segformerB0_S1_cclvs.pth"),
    _card("segformerb0-s2", "SegFormer-B0", 3_740_773, "segformerB0_S2_cclvs.pth"),
    _card("hrnet18s-s1", "HRNet-18s", 4_231_377, "hrnet18s_S1_cclvs.pth"),
    _card("hrnet18s-s2", "HRNet-18s", 4_231_377, "hrnet18s_S2_cclvs.pth"),
    _card("hrnet32-s2", "HRNet-32", 30_967_813, "hrnet32_S2_cclvs.pth"),
    _card("hrnet32-s2-combined", "HRNet-32", 30_967_813, "hrnet32_S2_comb.pth"),
)
