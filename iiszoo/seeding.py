"""Chance that can be repeated: one generator for each sample, seeded by what it is for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from iiszoo.file_names import for_hash

if TYPE_CHECKING:
    import numpy as np


def generator_for(sample_id: str, purpose: str, seed: int) -> np.random.Generator:
    """The one source of randomness of a sample's robot, or of what else `purpose` names: it depends on nothing else."""
    import numpy as np

    digest = hashlib.sha256(for_hash(f"{sample_id}\n{purpose}\n{seed}")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
