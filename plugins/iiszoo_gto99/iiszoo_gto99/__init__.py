"""Getting to 99% Accuracy in Interactive Segmentation (arXiv 2003.07932) as a plugin of iiszoo.

Only the card: nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_gto99.cards import CARD

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    register(CARD, default=True)
