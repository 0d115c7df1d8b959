"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import PRECISIONS
from iiszoo_simpleclick.cards import HUGE, OPTIONS

DEFAULT = "cfricl/vit-h"

_RELEASE = "https://github.com/TitorX/CFR-ICL-Interactive-Segmentation/releases/tag/v1.0"
_JOIN = (
    "Its authors publish the weights as a 7z archive in three parts. Download all three, and in their folder run `7z x "
    "cocolvis_icl_vit_huge.pth.7z.001`, which joins and unpacks them (or join them with `cat` in order and run `python "
    "-m py7zr x`); then `iiszoo weights add cfricl/vit-h cocolvis_icl_vit_huge.pth`."
)
_LICENCE = "The repository's LICENSE is CC BY-NC 4.0 since 25 April 2024 (6244680), and was MIT before."
_CITATION = """\
@inproceedings{sun2024cfricl,
  title = {{CFR-ICL}: Cascade-Forward Refinement with Iterative Click Loss for Interactive Image Segmentation},
  author = {Sun, Shoukun and Xian, Min and Xu, Fei and Capriotti, Luca and Yao, Tiankai},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  volume = {38},
  number = {5},
  pages = {5017--5024},
  year = {2024}
}"""


def _card(
    variant: str,
    summary: str,
    weights: Weights,
    weights_licence: str,
    n_parameters: int,
    training_datasets: tuple[str, ...],
    notes: str,
) -> ModelCard:
    return ModelCard(
        id=f"cfricl/{variant}",
        loader="iiszoo_simpleclick.cfricl.loading:load",
        upstream_loader="iiszoo_simpleclick.cfricl.upstream:load_upstream",
        summary=summary,
        licence="MIT",
        paper=(
            "Sun, Xian, Xu, Capriotti, Yao, CFR-ICL: Cascade-Forward Refinement with Iterative Click Loss for "
            "Interactive Image Segmentation, AAAI 2024 (arXiv 2303.05620)"
        ),
        weights=(weights,),
        weights_licence=weights_licence,
        upstream=Source(
            "https://github.com/TitorX/CFR-ICL-Interactive-Segmentation",
            "dadb0692c6612128f962a359610f4756866ac3dd",
            "CC BY-NC 4.0",
        ),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        threshold=0.49,
        training_datasets=training_datasets,
        options=(
            Option("cf_n", "how often an answer is refined, fed back as previous mask, while there are few clicks", 4),
            Option("cf_click", "the answer is refined while there are at most this many clicks", 1),
            Option("acf", "false: refine cf_n times in any case, not only until an answer hardly changes", True),
            *OPTIONS,
        ),
        precisions=PRECISIONS,
        notes=notes,
        citation=_CITATION,
    )


CARDS = (
    _card(
        "vit-h",
        "CFR-ICL: SimpleClick's ViT-H, trained with the iterative click loss, and a cascade of refinements",
        Weights("cocolvis_icl_vit_huge.pth", page=_RELEASE),
        "CC BY-NC 4.0, by the LICENSE of the repository that publishes them",
        660_714_481,
        ("coco_lvis",),
        f"{_JOIN} {_LICENCE} {HUGE}",
    ),
    _card(
        "vit-b",
        "CFR-ICL's cascade around SimpleClick's ViT-B; no weights were published",
        Weights("cfricl_vit_base.pth"),
        "yours: none were published",
        97_068_737,
        (),
        (
            "No weights were published: train your own. The network is that of simpleclick/vit-b, whose files "
            f"--checkpoint takes too, although they were not trained for the cascade. {_LICENCE}"
        ),
    ),
)
