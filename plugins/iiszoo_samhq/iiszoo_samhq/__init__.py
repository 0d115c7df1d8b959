"""HQ-SAM (arXiv 2306.01567) as a plugin of iiszoo. Cards only: nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_samhq.cards import CARDS, DEFAULT

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=card.id == DEFAULT)
