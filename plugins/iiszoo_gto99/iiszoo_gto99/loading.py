"""From a card to a model: the card's `loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo import assets
from iiszoo.cards import ModelCard
from iiszoo.errors import BadOption
from iiszoo.models.compute import Compute

if TYPE_CHECKING:
    from iiszoo_gto99.model import Gto99


def load(
    card: ModelCard,
    *,
    device: str,
    checkpoint: Path | None = None,
    mask_input: bool = True,
    user_encoder: bool = True,
    precision: str = "float32",
) -> Gto99:
    """GTO99, by its card. `mask_input`, `user_encoder`: see `iiszoo_gto99.network.Network`;
    `precision`: see `iiszoo.models.compute`.

    Raises `WeightsError`, and `BadOption` for a configuration other than that of the published weights without a
    checkpoint.
    """
    compute = Compute(device, precision=precision)
    from iiszoo_gto99.checkpoints import PUBLISHED, Configuration, load_gto99
    from iiszoo_gto99.model import Gto99

    configuration = Configuration(mask_input, user_encoder)
    if checkpoint is None and configuration != PUBLISHED:
        raise BadOption(
            f"no weights of {card.id} with {configuration} are published; give --checkpoint FILE, or leave the options "
            "out"
        )
    network = load_gto99(checkpoint or assets.fetch(card), configuration)
    return Gto99(compute.network(network.to(device)))
