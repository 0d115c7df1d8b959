"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.models.candidate_rule import check_rule
from iiszoo.models.compute import Compute
from iiszoo_sam.loading import model_of, require

if TYPE_CHECKING:
    from iiszoo_sam.model import Sam


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    rule: str = "default",
    hq_token_only: bool = False,
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> Sam:
    """HQ-SAM by the card: SAM's rules with HQ-SAM's networks.

    `rule`: see `iiszoo_sam.model.Sam`. `hq_token_only`: the answer is the HQ token's mask; else it is added to the mask
    of SAM that the rule chooses, as logits. `runtime`, and of the encoder and HQ features `precision` and
    `cuda_graphs`: see `iiszoo.models.compute`.

    Raises `WeightsError`, and `BadOption` for an invalid option.
    """
    require("segment_anything", "segment-anything", card)
    check_rule(rule)
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo_sam.checkpoints import load_sam
    from iiszoo_samhq.decoder import parts
    from iiszoo_samhq.network import NETWORKS

    sam = load_sam(card.id, checkpoint or assets.fetch(card), NETWORKS)
    return model_of(*parts(sam, hq_token_only), compute, rule)
