"""Repeatable randomness: one generator per sample and purpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from iiszoo.file_names import for_hash

if TYPE_CHECKING:
    import numpy as np


def generator_for(sample_id: str, purpose: str, seed: int) -> np.random.Generator:
    """The random generator of a sample for `purpose`, such as its robot; it depends on nothing but these arguments."""
    import numpy as np

    digest = hashlib.sha256(for_hash(f"{sample_id}\n{purpose}\n{seed}")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
