"""Where things lie: the cache, and the place of each file in it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from iiszoo.cards import ModelCard, Weights
from iiszoo.errors import WeightsError


def cache_root() -> Path:
    """The directory under which iiszoo keeps what it fetches: `IISZOO_CACHE`, else the user's cache directory."""
    chosen = os.environ.get("IISZOO_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("iiszoo"))


def is_offline() -> bool:
    """Whether `IISZOO_OFFLINE` forbids connections (any value but an empty one and `0`)."""
    return os.environ.get("IISZOO_OFFLINE", "") not in ("", "0")


def weights_of(card: ModelCard, weights: Weights | str | None = None) -> Weights:
    """The one weights file of `card` that is meant: itself, by file name, or (None) the only one that there is.

    Raises `WeightsError` where the card has none, has several to choose from, or has no file of that name.
    """
    if isinstance(weights, Weights):
        return weights
    names = ", ".join(each.filename for each in card.weights)
    if not card.weights:
        raise WeightsError(f"model {card.id} has no weights: there is no file to fetch or to add")
    if weights is None:
        if len(card.weights) > 1:
            raise WeightsError(f"model {card.id} has {len(card.weights)} weights files; name one of {names}")
        return card.weights[0]
    for each in card.weights:
        if each.filename == weights:
            return each
    raise WeightsError(f"model {card.id} has no weights file {weights!r}; it has {names}")


def path(card: ModelCard, weights: Weights | str | None = None) -> Path:
    """Where a weights file lies, or would lie: `<cache>/weights/<family>/<filename>`."""
    return weights_root() / card.family / weights_of(card, weights).filename


def weights_root() -> Path:
    """The directory of all weights, with a folder for each family and the bookkeeping (`iiszoo.assets._ledger`)."""
    return cache_root() / "weights"
