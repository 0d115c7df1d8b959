"""The cards of both families' models: what each is, and where its weights are.

Neither Meta's SAM 2.1 files nor EdgeTAM's have published hashes: those here are third parties', who agree.
"""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import COMPUTE_OPTIONS, PRECISIONS

DEFAULT = "sam2/tiny"

_SAM2 = Source("https://github.com/facebookresearch/sam2", "2b90b9f5ceec907a1c18123530e92e794ad901a4", "Apache-2.0")
_EDGETAM = Source(
    "https://github.com/facebookresearch/EdgeTAM", "9cc44bfe9e16cc374242917b91283c718410ea87", "Apache-2.0"
)
_OFFICIAL = "https://dl.fbaipublicfiles.com/segment_anything_2/092824/"
_HUB = "https://huggingface.co/facebook/"
_OPTIONS = (
    Option(
        "rule",
        "default: at the first click the candidate of three with the highest predicted IoU, then the single mask; "
        "segnext: the best of three at every click (SegNext's evaluation); single: the single mask from the first "
        "click on (RClicks); where the single mask is unstable, the best of three replaces it",
        "default",
    ),
    *COMPUTE_OPTIONS,
)
_CITATION = """\
@inproceedings{ravi2025sam2,
  title = {{SAM} 2: Segment Anything in Images and Videos},
  author = {Ravi, Nikhila and Gabeur, Valentin and Hu, Yuan-Ting and Hu, Ronghang and Ryali, Chaitanya and Ma, Tengyu
            and Khedr, Haitham and R{\\"a}dle, Roman and Rolland, Chloe and Gustafson, Laura and Mintun, Eric and Pan,
            Junting and Alwala, Kalyan Vasudev and Carion, Nicolas and Wu, Chao-Yuan and Girshick, Ross and Doll{\\'a}r,
            Piotr and Feichtenhofer, Christoph},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2025}
}"""
_EDGETAM_CITATION = """\
@article{zhou2025edgetam,
  title = {{EdgeTAM}: On-Device Track Anything Model},
  author = {Zhou, Chong and Zhu, Chenchen and Xiong, Yunyang and Suri, Saksham and Xiao, Fanyi and Wu, Lemeng and
            Krishnamoorthi, Raghuraman and Dai, Bo and Loy, Chen Change and Chandra, Vikas and Soran, Bilge},
  journal = {arXiv preprint arXiv:2501.07256},
  year = {2025}
}"""
_NOTES = (
    "Parameters are those of image prediction; the file also has the memory modules for videos, which are not used. "
    "--checkpoint also takes the safetensors file of {hub} on Hugging Face. The file's hash was published by third "
    "parties, not by the authors."
)


def _sam2(variant: str, sha256: str, size: int, n_parameters: int) -> ModelCard:
    file = f"sam2.1_hiera_{variant.replace('-', '_')}.pt"
    hub = f"sam2.1-hiera-{variant}"
    return ModelCard(
        id=f"sam2/{variant}",
        loader="iiszoo_sam2.loading:load",
        summary=f"SAM 2.1 with the Hiera {variant.replace('-plus', '+')} encoder",
        licence="Apache-2.0",
        paper="Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025 (arXiv 2408.00714)",
        weights=(Weights(file, (_OFFICIAL + file, f"{_HUB}{hub}/resolve/main/{file}"), sha256, size, page=_SAM2.repo),),
        weights_licence="Apache-2.0",
        upstream=_SAM2,
        n_parameters=n_parameters,
        prompts=("clicks", "mask"),
        ragged=True,
        notes=_NOTES.format(hub=f"facebook/{hub}"),
        options=_OPTIONS,
        precisions=PRECISIONS,
        citation=_CITATION,
        release_date="2024-09-29",
        input_size=(1024, 1024),
    )


SAM2 = (
    _sam2("tiny", "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69", 156_008_466, 31_440_721),
    _sam2("small", "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38", 184_416_285, 38_538_577),
    _sam2("base-plus", "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5", 323_606_802, 73_328_401),
    _sam2("large", "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318", 898_083_611, 216_924_865),
)
EDGETAM = ModelCard(
    id="edgetam/edgetam",
    loader="iiszoo_sam2.loading:load",
    summary="EdgeTAM: SAM 2's decoder behind a RepViT encoder, for phones",
    licence="Apache-2.0",
    paper="Zhou et al., EdgeTAM: On-Device Track Anything Model, CVPR 2025 (arXiv 2501.07256)",
    weights=(
        Weights(
            "edgetam.pt",
            (
                f"{_EDGETAM.repo}/raw/{_EDGETAM.commit}/checkpoints/edgetam.pt",
                f"{_HUB}EdgeTAM/resolve/main/edgetam.pt",
            ),
            "ed2d4850b8792c239689b043c47046ec239b6e808a3d9b6ae676c803fd8780df",
            56_116_523,
            page=_EDGETAM.repo,
        ),
    ),
    weights_licence="Apache-2.0",
    upstream=_EDGETAM,
    n_parameters=9_120_641,
    prompts=("clicks", "mask"),
    ragged=True,
    notes=_NOTES.format(hub="yonigozlan/EdgeTAM-hf"),
    options=_OPTIONS,
    precisions=PRECISIONS,
    citation=_EDGETAM_CITATION,
    input_size=(1024, 1024),
)
CARDS = (*SAM2, EDGETAM)
