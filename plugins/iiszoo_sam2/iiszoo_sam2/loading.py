"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.errors import PluginError
from iiszoo.models.candidate_rule import check_rule
from iiszoo.models.compute import Compute

if TYPE_CHECKING:
    from iiszoo_sam2.model import Sam2

_INSTALL = 'run `pip install "iiszoo[sam2]"` (Python 3.11 or newer)'


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    rule: str = "default",
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> Sam2:
    """SAM 2.1 or EdgeTAM, by the card. `rule`: see `iiszoo_sam2.model.Sam2`; `runtime`, and of the encoder `precision`
    and `cuda_graphs`: see `iiszoo.models.compute`; the decoder, which is cheap, stays in float32.

    Raises `WeightsError`, `BadOption` for an invalid option, and `PluginError` without transformers 5.
    """
    _require_transformers(card)
    check_rule(rule)
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo_sam2.checkpoints import load_network
    from iiszoo_sam2.model import Sam2
    from iiszoo_sam2.parts import DECODER, ENCODER, Decoder, Encoder

    network = load_network(card.id, checkpoint or assets.fetch(card)).to(device)
    encoder = compute.network(Encoder(network), ENCODER)
    return Sam2(encoder, Compute(device, runtime).network(Decoder(network), DECODER), rule)


def _require_transformers(card: ModelCard) -> None:
    try:
        found = version("transformers")
    except PackageNotFoundError:
        raise PluginError(
            f"model {card.id} needs the package transformers, version 5, which is not installed; {_INSTALL}"
        ) from None
    if found.partition(".")[0] != "5":
        raise PluginError(f"model {card.id} needs transformers 5, and {found} is installed; {_INSTALL}")
