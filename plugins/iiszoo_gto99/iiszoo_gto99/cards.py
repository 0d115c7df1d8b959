"""The model's card: what it is, and where its weights are."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Source, Weights
from iiszoo.models.compute import PRECISION_OPTION

CARD = ModelCard(
    id="gto99/resnet50",
    loader="iiszoo_gto99.loading:load",
    summary="GTO99: a ResNet-50, an encoder for the clicks, and a guided filter for exact borders",
    licence="MIT",
    paper="Forte, Price, Cohen, Xu, Pitié, Getting to 99% Accuracy in Interactive Segmentation (arXiv 2003.07932)",
    weights=(Weights("InterSegSynthFT.pth", ("drive:1nJMTXSlprm5FQaQA5gfyU8CbSEX8ghzJ",), about_size=144_000_000),),
    weights_licence="MIT, by the LICENSE of the repository that links to them",
    upstream=Source(
        "https://github.com/MarcoForte/DeepInteractiveSegmentation", "ddd7426ea9f36ff6a110d836b1b920a1215cbfee", "MIT"
    ),
    n_parameters=37_735_778,
    prompts=("clicks", "mask"),
    ragged=True,
    training_datasets=("sbd", "sbd-per-class", "sbd-train"),
    notes=(
        "Pretrained on the paper's synthetic dataset and fine-tuned on SBD; its repository does not state on which of "
        "SBD's images. Upstream counts a pixel as object if alpha >= 0.5, iiszoo if alpha > 0.5: after a positive "
        "click no alpha is exactly 0.5, as the component rule removes it."
    ),
    options=(
        Option("mask_input", "false: for your own checkpoint of upstream's configuration without the mask", True),
        Option("user_encoder", "false: for your own checkpoint of upstream's configuration without this encoder", True),
        PRECISION_OPTION,
    ),
    precisions=("float32", "tf32"),  # the guided filter divides by small variances
    citation="""\
@article{forte2020gto99,
  title = {Getting to 99\\% Accuracy in Interactive Segmentation},
  author = {Forte, Marco and Price, Brian and Cohen, Scott and Xu, Ning and Piti{\\'e}, Fran{\\c{c}}ois},
  journal = {arXiv preprint arXiv:2003.07932},
  year = {2020}
}""",
)
