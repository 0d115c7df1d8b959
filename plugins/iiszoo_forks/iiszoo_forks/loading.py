"""From a card to a model: the cards' `loader` and `upstream_loader`, of which the families' modules say the rest."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iiszoo import assets
from iiszoo.cards import ModelCard

if TYPE_CHECKING:
    from iiszoo.upstream import IsegmModel


def load(card: ModelCard, *, device: str, checkpoint: Path | None = None, preset: str = "default") -> IsegmModel:
    """The fork's own network and predictor with its weights; `preset`: as the family's module says.

    Raises `UpstreamError`, `WeightsError`, and `BadOption` for an unknown preset.
    """
    _settings(card, preset)  # before anything is fetched
    return load_upstream(card, device=device, checkpoint=checkpoint or assets.fetch(card), preset=preset)


def load_upstream(
    card: ModelCard, *, device: str, checkpoint: Path | None = None, preset: str = "default"
) -> IsegmModel:
    """The same; untrained if `checkpoint` is None."""
    from iiszoo.upstream import isegm_model

    return isegm_model(
        card.upstream,
        checkpoint,
        build=partial(_family(card).build, card),
        threshold=card.threshold,
        device=device,
        **_settings(card, preset),
    )


def _settings(card: ModelCard, preset: str) -> Any:
    return _family(card).settings(preset)


def _family(card: ModelCard) -> Any:
    return import_module(f"iiszoo_forks.{card.family}")
