"""A model of the zoo with weights, a file of one word: `good`, or what goes wrong when it is loaded."""

from __future__ import annotations

from typing import Any

from painting_models import discs

from iiszoo import assets
from iiszoo.cards import ModelCard


def load(card: ModelCard, *, device: str, checkpoint: Any) -> Any:
    word = assets.fetch(card).read_text()
    if word == "stop":
        raise KeyboardInterrupt
    if word != "good":
        raise ValueError(f"these weights say {word!r}")
    return discs
