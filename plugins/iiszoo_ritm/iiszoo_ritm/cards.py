"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Prompt, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "ritm/h18s"

_RELEASE = "https://github.com/saic-vul/ritm_interactive_segmentation/releases/download/v1.0/"
_MIRROR = "https://github.com/supervisely-ecosystem/ritm-interactive-segmentation/releases/download/v0.1/"
_CUTIE = "https://github.com/hkchengrex/Cutie/releases/download/v1.0/"
_OPTIONS = (
    Option("preset", "davis: the crop's longest side is 600 pixels, not 400, as published for DAVIS", "default"),
    Option("size", "the crop's longest side in PIXELS, or HEIGHTxWIDTH: crops of that size from the first click on"),
    Option("zoom", "false: the whole image at each click", True),
    Option("flip", "false: no averaging with the answer to the mirrored image", True),
    Option("click_limit", "the network sees only the first N clicks"),
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{sofiiuk2022ritm,
  title = {Reviving Iterative Training with Mask Guidance for Interactive Segmentation},
  author = {Sofiiuk, Konstantin and Petrov, Ilya A. and Konushin, Anton},
  booktitle = {IEEE International Conference on Image Processing (ICIP)},
  year = {2022}
}"""


def _card(
    variant: str,
    summary: str,
    file: str,
    training: str,
    n_parameters: int,
    *,
    size: int | None = None,
    about_size: int | None = None,
    prompts: tuple[Prompt, ...] = ("clicks", "mask"),
    mirrors: tuple[str, ...] = (),
) -> ModelCard:
    return ModelCard(
        id=f"ritm/{variant}",
        loader="iiszoo_ritm.loading:load",
        network="iiszoo_ritm.network:untrained",
        upstream_loader="iiszoo_ritm.upstream:load_upstream",
        summary=summary,
        licence="MIT",
        paper=(
            "Sofiiuk, Petrov, Konushin, Reviving Iterative Training with Mask Guidance for Interactive Segmentation, "
            "ICIP 2022 (arXiv 2102.06583)"
        ),
        weights=(
            Weights(
                file,
                tuple(base + file for base in (_RELEASE, _MIRROR, *mirrors)),
                size=size,
                about_size=about_size,
            ),
        ),
        weights_licence="MIT",
        upstream=Source(
            "https://github.com/SamsungLabs/ritm_interactive_segmentation",
            "b9b44603672e15aa0be878b54fd26e7e1c5d2311",
            "MIT",
        ),
        n_parameters=n_parameters,
        prompts=prompts,
        ragged=True,
        threshold=0.49,
        training_datasets=(training,),
        options=_OPTIONS,
        precisions=PRECISIONS,
        notes="The BRS variants of the code base are not included.",
        citation=_CITATION,
    )


_H18_SIZE = 40_700_000  # 38.8 MiB, as the README states for each of the three
CARDS = (
    _card(
        "h18s",
        "RITM with HRNet-18s: the smallest",
        "coco_lvis_h18s_itermask.pth",
        "coco_lvis",
        4_220_047,
        about_size=17_300_000,
    ),
    _card(
        "h18",
        "RITM with HRNet-18",
        "coco_lvis_h18_itermask.pth",
        "coco_lvis",
        10_032_019,
        size=40_700_707,
        mirrors=(_CUTIE,),
    ),
    _card(
        "h32",
        "RITM with HRNet-32",
        "coco_lvis_h32_itermask.pth",
        "coco_lvis",
        30_951_363,
        about_size=125_000_000,
    ),
    _card(
        "h18-sbd",
        "RITM with HRNet-18, trained on SBD alone",
        "sbd_h18_itermask.pth",
        "sbd-train",
        10_032_019,
        about_size=_H18_SIZE,
    ),
    _card(
        "h18-baseline",
        "RITM's HRNet-18 without the previous mask",
        "coco_lvis_h18_baseline.pth",
        "coco_lvis",
        10_032_003,
        about_size=_H18_SIZE,
        prompts=("clicks",),
    ),
)
