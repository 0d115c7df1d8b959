"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS
from iiszoo_sam.cards import RULE_OPTION

DEFAULT = "samhq/vit-b"

_HUB = "https://huggingface.co/lkeab/hq-sam/resolve/"
_OPTIONS = (
    RULE_OPTION,
    Option("hq_token_only", "true: the mask of the HQ token alone, not added to SAM's", False),
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{ke2023hqsam,
  title = {Segment Anything in High Quality},
  author = {Ke, Lei and Ye, Mingqiao and Danelljan, Martin and Liu, Yifan and Tai, Yu-Wing and Tang, Chi-Keung and Yu,
            Fisher},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year = {2023}
}"""


def _card(
    variant: str, encoder: str, file: str, urls: tuple[str, ...], about_size: int, n_parameters: int, released: str
) -> ModelCard:
    return ModelCard(
        id=f"samhq/{variant}",
        loader="iiszoo_samhq.loading:load",
        summary=f"HQ-SAM with {encoder}: Segment Anything with a token and features for fine masks",
        licence="Apache-2.0",
        paper="Ke et al., Segment Anything in High Quality, NeurIPS 2023 (arXiv 2306.01567)",
        weights=(Weights(file, urls, about_size=about_size),),  # no hash is published; the sizes are third parties'
        weights_licence="Apache-2.0",
        upstream=Source("https://github.com/SysCV/sam-hq", "fb181f8eff6d0c01b47921ced472e8cdaa69a71d", "Apache-2.0"),
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        options=_OPTIONS,
        precisions=PRECISIONS,
        release_date=released,
        citation=_CITATION,
    )


CARDS = (
    _card(
        "vit-b",
        "ViT-B",
        "sam_hq_vit_b.pth",
        (f"{_HUB}main/sam_hq_vit_b.pth", "drive:11yExZLOve38kRZPfRx_MRxfIAKmfMY47"),
        379_000_000,
        94_806_576,
        "2023-06-13",
    ),
    _card(
        "vit-l",
        "ViT-L",
        "sam_hq_vit_l.pth",
        (f"{_HUB}main/sam_hq_vit_l.pth", "drive:1Uk17tDKX1YAKas5knI4y9ZJCo0lRVL0G"),
        1_300_000_000,
        313_676_080,
        "2023-06-13",
    ),
    _card(
        "vit-h",
        "ViT-H",
        "sam_hq_vit_h.pth",
        (
            f"{_HUB}67ab82412bc794d5ce2e9799b8b6a3c0a8cfe1d2/sam_hq_vit_h.pth",
            "drive:1qobFYrI4eyIANfBSmYcGuWRaSIXfMOQ8",
        ),
        2_600_000_000,
        642_686_000,
        "2023-06-13",
    ),
    _card(
        "tiny",
        "MobileSAM's TinyViT-5M",
        "sam_hq_vit_tiny.pth",
        (f"{_HUB}a3a77cd0a2e5e50eaa76faccf61b964732d9b35f/sam_hq_vit_tiny.pth",),
        43_000_000,
        10_578_604,
        "2023-07-17",
    ),
)
