"""From a card to a model: the card's `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from iiszoo_gto99.model import Gto99


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    mask_input: bool = True,
    user_encoder: bool = True,
) -> Gto99:
    """GTO99, by its card. `mask_input`, `user_encoder`: see `iiszoo_gto99.network.Network`.

    Raises `WeightsError`, and `BadOption` for a configuration other than that of the published weights without a
    checkpoint.
    """
    from iiszoo_gto99.checkpoints import PUBLISHED, Configuration, load_gto99
    from iiszoo_gto99.model import Gto99

    configuration = Configuration(mask_input, user_encoder)
    if checkpoint is None and configuration != PUBLISHED:
        raise BadOption(
            f"no weights of {card.id} with {configuration} are published; give --checkpoint FILE, or leave the options "
            "out"
        )
    network = load_gto99(checkpoint or assets.fetch(card), configuration)
    network.to(device)
    return Gto99(network)
