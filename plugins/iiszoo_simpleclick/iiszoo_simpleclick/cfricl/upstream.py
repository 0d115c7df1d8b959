"""CFR-ICL's own code, for `iiszoo upstream verify`: the cards' `upstream_loader`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iiszoo.cards import ModelCard
from iiszoo_simpleclick.upstream import plain_vit

if TYPE_CHECKING:
    from iiszoo.upstream import IsegmModel


def load_upstream(card: ModelCard, *, device: str, checkpoint: Path | None = None) -> IsegmModel:
    """Upstream's network and predictor as its `--cf-n 4 --acf` sets it; untrained without file."""
    cascade = {"cascade_step": 5, "cascade_clicks": 1, "cascade_adaptive": True}
    return plain_vit(card, device=device, checkpoint=checkpoint, predictor_params=cascade)
