"""The card of a model beside its runs: stars, sizes and licences stand without the model's plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iiszoo import cards
from iiszoo.cards import ModelCard
from iiszoo.engine.results import layout
from iiszoo.engine.runs import json_values, store
from iiszoo.errors import IISZooError, RunError
from iiszoo.registry import registry, resolve_model

_CHECKED = json_values.record({"model": json_values.text, "card": json_values.optional(json_values.table)})


def values_of(model: str) -> dict[str, Any]:
    """The content of `card.json` of a run's model: `card` is None for a function or a trained file, which have none,
    and for a model whose plugin is not installed here.
    """
    try:
        card = resolve_model(model)[0]
    except IISZooError:
        return {"model": model, "plugin": None, "card": None}
    distribution = registry().models.plugin(card).distribution
    return {"model": model, "plugin": distribution, "card": cards.as_json(card)}


def read(folder: Path) -> tuple[str, ModelCard | None]:
    """The model's name and its card. Raises `RunError` if `card.json` is absent or damaged."""
    path = folder / layout.CARD
    values = store.read_json(path)
    if values is None:
        raise RunError(f"{path} is missing; `iiszoo results add` writes it")
    try:
        checked = _CHECKED(values, "")
        card = checked["card"]
        return checked["model"], None if card is None else cards.from_json(ModelCard, card)
    except KeyError as error:
        raise RunError(f"{path} states {error}, which this iiszoo does not know; install a newer one") from error
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); `iiszoo results add` of a run of the model renews it") from error
