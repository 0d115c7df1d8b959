"""Cards of iiszoo's own models: `smp`, a network whose weights ship with iiszoo, and `classic`, without weights."""

from __future__ import annotations

from iiszoo.cards import ModelCard, Option, Precision, Weights

DEFAULT = "smp/unet-lite0"
"""What `iiszoo bench` runs if no model is named."""
DEFAULTS = frozenset({DEFAULT, "classic/geocut"})
"""What the families' names mean."""

RUNTIME_OPTION = Option("runtime", 'onnx: on onnxruntime, faster on a CPU (pip install "iiszoo[onnx]")', "torch")
"""The option of models whose networks can be exported (`iiszoo.models.runtime`)."""
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16", "float16")
"""In which a network may compute (`iiszoo.models.precision`)."""
PRECISION_OPTION = Option("precision", f"how exactly the network computes: {', '.join(PRECISIONS)}", "float32")
CUDA_GRAPHS_OPTION = Option("cuda_graphs", "true: on a GPU, launch all kernels of a call at once", False)
COMPUTE_OPTIONS = (RUNTIME_OPTION, PRECISION_OPTION, CUDA_GRAPHS_OPTION)
"""The options of models whose networks compute as `iiszoo.models.compute` lets them."""
TRAINED_OPTIONS = (
    Option("size", "the side in PIXELS of the square, or HEIGHTxWIDTH, that crops are resized to; else as trained"),
    Option("flip", "true: average with the answer to the mirrored image; else as trained"),
    Option("second_look", "false: no second, closer look at the region of the last click; else as trained"),
    *COMPUTE_OPTIONS,
)
"""The options of every network that `iiszoo train` has trained (`iiszoo.models.trained`)."""

MODELS = (
    ModelCard(
        id="smp/unet-lite0",
        loader="iiszoo.models.trained:load",
        network="iiszoo.models.trained:untrained",
        summary="U-Net on EfficientNet-Lite0, 4 M parameters, trained for clicks by `iiszoo train`; the default",
        licence="MIT",
        weights=(
            Weights(
                "unet-lite0.safetensors",
                ("package:iiszoo/models/weights/unet-lite0.safetensors",),
                sha256="7a79e1612ae2def38f77a47102b0afb273e46cac3697ad97c9c63ef2042cb95d",
                size=8_544_234,
            ),
        ),
        weights_licence=(
            "research use: trained on photographs of BSDS500, whose terms that is, of COCO 2017 (their authors' "
            "licences; annotations CC BY 4.0) and of clothing-co-parsing (Apache-2.0); encoder from ImageNet weights"
        ),
        paper=(
            "network: segmentation_models_pytorch; training after Sofiiuk et al. (RITM), arXiv 2102.06583, and the "
            "second look after Chen et al. (FocalClick), arXiv 2204.02574"
        ),
        n_parameters=4_214_705,
        prompts=("clicks", "mask"),
        ragged=True,
        training_datasets=("coco_mval",),
        input_size=(320, 320),
        notes=(
            "Trained on 722 photographs of COCO_MVal, 520 of clothing-co-parsing and 401 of BSDS500 without those"
            " of GrabCut and Berkeley: a prototype of the recipe benchmarks/training/unet_lite0.toml, fine-tuned "
            "as in unet_lite0_finetune.toml (1,819 steps of 64 on one H200); nothing was held out. The weights are "
            "the average of both (`iiszoo average`). The second look and the equal shares were chosen on 100 "
            "photographs of persons and the demo set; the input size and the second look's rule were compared on "
            "GrabCut and Berkeley before."
        ),
        options=TRAINED_OPTIONS,
        precisions=PRECISIONS,
    ),
    ModelCard(
        id="classic/geocut",
        loader="iiszoo.models.classic.geocut:load_geocut",
        summary="geodesic distances, colour models and a min-cut from the clicks; the baseline that others must beat",
        licence="MIT",
        paper="after Boykov and Jolly, ICCV 2001, and Bai and Sapiro, ICCV 2007",
        prompts=("clicks", "mask"),
        ragged=True,
    ),
    ModelCard(
        id="classic/grabcut",
        loader="iiszoo.models.classic.grabcut:load_grabcut",
        summary="OpenCV's GrabCut with click discs as hard seeds",
        licence="MIT",
        paper="Rother, Kolmogorov and Blake, GrabCut, ACM ToG 23(3), 2004",
        prompts=("clicks", "mask"),
        ragged=True,
    ),
    ModelCard(
        id="classic/random-walker",
        loader="iiszoo.models.classic.random_walker:load_random_walker",
        summary="scikit-image's random walker with the clicks as seeds",
        licence="MIT",
        paper="Grady, Random walks for image segmentation, PAMI 28(11), 2006",
        ragged=True,
    ),
)
