"""The component rule: a component without a positive click is not an object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iiszoo.clicking.regions import clicked_components
from iiszoo.protocol import Click


def remove_unclicked(alpha: Tensor, positive: Sequence[Click]) -> Tensor:
    """alpha (1, H, W) in its 8-connected components above 0.5 that contain a positive click, and 0 everywhere else.

    It is also 0 outside the components, where alpha is at most 0.5. Without a positive click alpha stays as it is.
    `remove_non_fg_connected` (`interaction.py` of MarcoForte/DeepInteractiveSegmentation at ddd7426).
    """
    if not positive:
        return alpha
    kept = clicked_components((alpha[0] > 0.5).cpu().numpy(), positive, 8)
    return alpha.masked_fill(torch.from_numpy(~kept).to(alpha.device), 0)
