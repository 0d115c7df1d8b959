"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "segnext/vitb-sax2-hq"

_FOLDER = "https://drive.google.com/drive/folders/1hzTvpJWalr2WTFguPnm5-6M6tMxK8MMq"
_CITATION = """\
@inproceedings{liu2024segnext,
  title = {Rethinking Interactive Image Segmentation with Low Latency, High Quality, and Diverse Prompts},
  author = {Liu, Qin and Cho, Jaemin and Bansal, Mohit and Niethammer, Marc},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2024}
}"""


def _card(
    variant: str, summary: str, file: str, drive: str, about_size: int, n_parameters: int, notes: str = ""
) -> ModelCard:
    return ModelCard(
        id=f"segnext/{variant}",
        loader="iiszoo_segnext.loading:load",
        summary=summary,
        licence="MIT",
        paper=(
            "Liu, Cho, Bansal, Niethammer, Rethinking Interactive Image Segmentation with Low Latency, High Quality, "
            "and Diverse Prompts, CVPR 2024 (arXiv 2404.00741)"
        ),
        # The authors have moved these files before (uncbiag/SegNext#10): the folder is where new ones would be.
        weights=(Weights(file, (f"drive:{drive}",), about_size=about_size, page=_FOLDER),),
        weights_licence="MIT, by the LICENSE of the repository that links to them",
        upstream=Source("https://github.com/uncbiag/SegNext", "4c45ce8bfa8d3121d36d71f0ff263555805dad89", "MIT"),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        threshold=0.49,
        training_datasets=("coco_lvis",),
        input_size=(1024, 1024),
        options=COMPUTE_OPTIONS,
        precisions=PRECISIONS,
        notes=notes,
        citation=_CITATION,
    )


CARDS = (
    _card(
        "vitb-sax1",
        "SegNext with ViT-B and one self-attention block for clicks and image",
        "vitb_sa1_cocolvis_epoch_90.pth",
        "1G_m9_sVYVD2MBDf5ulrAUz-iSvi8bQfZ",
        408_000_000,
        106_700_225,
    ),
    _card(
        "vitb-sax2",
        "SegNext with ViT-B and two self-attention blocks for clicks and image",
        "vitb_sa2_cocolvis_epoch_90.pth",
        "1uHEcvwA2spsLQqDJiYKqv1pf3vgLAG7-",
        435_000_000,
        113_788_097,
    ),
    _card(
        "vitb-sax2-hq",
        "SegNext's vitb-sax2, trained further on the fine masks of HQSeg-44K",
        "vitb_sa2_cocolvis_hq44k_epoch_0.pth",
        "1qkXIvxnlY3Z4xLYGWJcoAHBUNyDmvwPS",
        435_000_000,
        113_788_097,
        notes=(
            "Trained on HQSeg-44K's training part as well, which has the same sources as its validation part "
            "(hqseg44k), and parts of which are for non-commercial research only (iiszoo show hqseg44k)."
        ),
    ),
)
