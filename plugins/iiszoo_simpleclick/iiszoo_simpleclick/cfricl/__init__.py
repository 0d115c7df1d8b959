"""CFR-ICL (arXiv 2303.05620) as a second family of SimpleClick's plugin: its network and predictor, and a cascade.

Cards only: nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_simpleclick.cfricl.cards import CARDS, DEFAULT

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in CARDS:
        register(card, default=card.id == DEFAULT)
