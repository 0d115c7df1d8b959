"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "simpleclick/vit-b"

_FOLDER = "https://drive.google.com/drive/folders/1qpK0gtAPkVMF7VC42UA9XF4xMWr5KJmL"
OPTIONS = (
    Option("preset", "davis: crops of 672 x 672, not 448 x 448, as published for DAVIS", "default"),
    Option("size", "the side in PIXELS of the square, or HEIGHTxWIDTH, to which crops are resized"),
    Option("flip", "false: no averaging with the answer to the mirrored image", True),
    Option("click_limit", "the network sees only the first N clicks"),
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{liu2023simpleclick,
  title = {{SimpleClick}: Interactive Image Segmentation with Simple Vision Transformers},
  author = {Liu, Qin and Xu, Zhenlin and Bertasius, Gedas and Niethammer, Marc},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2023}
}"""
HUGE = "Memory on a CPU, at 448 x 448: at most 3.7 GB, torch included; the weights take 2.6 GB, in memory only once."


def _card(variant: str, name: str, file: str, n_parameters: int, training: str) -> ModelCard:
    about_size = 2_700_000_000 if variant.startswith("vit-h") else None  # upstream states no other
    return ModelCard(
        id=f"simpleclick/{variant}",
        loader="iiszoo_simpleclick.loading:load",
        network="iiszoo_simpleclick.network:untrained",
        upstream_loader="iiszoo_simpleclick.upstream:load_upstream",
        summary=f"SimpleClick with {name}" + (", trained on SBD alone" if training == "sbd-train" else ""),
        licence="MIT",
        paper=(
            "Liu, Xu, Bertasius, Niethammer, SimpleClick: Interactive Image Segmentation with Simple Vision "
            "Transformers, ICCV 2023 (arXiv 2210.11006)"
        ),
        weights=(Weights(file, about_size=about_size, page=_FOLDER),),
        weights_licence="MIT",
        upstream=Source("https://github.com/uncbiag/SimpleClick", "f33112e5a37ac97b9adfb9cda0106830e77b5b7d", "MIT"),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        threshold=0.49,
        training_datasets=(training,),
        options=OPTIONS,
        precisions=PRECISIONS,
        notes=HUGE if variant.startswith("vit-h") else "",
        citation=_CITATION,
    )


_SIZES = (
    ("vit-b", "ViT-B", "vit_base", 97_068_737),
    ("vit-l", "ViT-L", "vit_large", 322_992_833),
    ("vit-h", "ViT-H", "vit_huge", 660_714_481),
    ("xtiny", "a ViT of 160 channels and 8 blocks", "vit_xtiny", 3_845_441),
)
CARDS = (
    *(_card(variant, name, f"cocolvis_{file}.pth", n, "coco_lvis") for variant, name, file, n in _SIZES),
    *(_card(f"{variant}-sbd", name, f"sbd_{file}.pth", n, "sbd-train") for variant, name, file, n in _SIZES),
)
