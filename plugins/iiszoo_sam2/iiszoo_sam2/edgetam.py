"""EdgeTAM (arXiv 2501.07256) as a family of its own, in the distribution of SAM 2.1, whose decoder and rules it has."""

from __future__ import annotations

from collections.abc import Callable

import iiszoo
from iiszoo_sam2.cards import EDGETAM

api_version = 1


@iiszoo.hookimpl
def iiszoo_register_models(register: Callable[..., None]) -> None:
    register(EDGETAM, default=True)
