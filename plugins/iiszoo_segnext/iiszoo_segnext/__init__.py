"""SegNext (arXiv 2404.00741) as a plugin of iiszoo. Cards only: nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_segnext.cards import CARDS, DEFAULT

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=card.id == DEFAULT)
