"""SAM 2.1 (arXiv 2408.00714) as a plugin of iiszoo. Cards only: nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_sam2.cards import DEFAULT, SAM2

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    for card in SAM2:
        register(card, default=card.id == DEFAULT)
