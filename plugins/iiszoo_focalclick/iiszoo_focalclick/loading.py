"""From a card to a model: the cards' `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.models.compute import Compute

if TYPE_CHECKING:
    from iiszoo_focalclick.model import FocalClickModel

MERGES = ("published", "fixed", "none")


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    size: int = 256,
    progressive_merge: str = "published",
    runtime: str = "torch",
    precision: str = "float32",
    cuda_graphs: bool = False,
) -> FocalClickModel:
    """The model of a card, with the official weights or those of `checkpoint`.

    `size`: the side of the square that crops are resized to, in pixels; a multiple of 32. `progressive_merge`: one of
    `MERGES`; see `FocalClickModel.merge`; `runtime`, `precision`, `cuda_graphs`: see `iiszoo.models.compute`.
    Raises `WeightsError`, and `BadOption` for an invalid option.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 32 or size % 32:
        raise BadOption(f"option size={size} is not a valid crop size; give a multiple of 32, such as 256")
    if progressive_merge not in MERGES:
        raise BadOption(f"option progressive_merge={progressive_merge} is unknown; give one of {', '.join(MERGES)}")
    compute = Compute(device, runtime, precision, cuda_graphs)
    from iiszoo.models.checkpoints import load_network
    from iiszoo_focalclick.model import DiskNetworks, FocalClickModel
    from iiszoo_focalclick.networks import NETWORKS
    from iiszoo_focalclick.parts import parts_of

    network = load_network(card.id, checkpoint or assets.fetch(card), NETWORKS).to(device)
    return FocalClickModel(DiskNetworks(parts_of(network, size, compute)), size, progressive_merge, card.threshold)
