"""The option `rule` of models whose decoder answers a prompt by several candidate masks, as SAM and its successors do.

Such a decoder has a single mask, number `SINGLE`, for unambiguous prompts, and three others: whole, part, and subpart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from torch import Tensor

RULES = ("default", "segnext", "single")
"""`default`, as in upstream's notebooks: for a single click without mask prompt, which is ambiguous between an object
and its parts, the one of three with the highest predicted IoU; otherwise the single mask. `segnext`: the best of three
at every click (the evaluation of SegNext, arXiv 2404.00741). `single`: always the single mask (that of RClicks).
"""
SINGLE = 0


def check_rule(rule: str) -> None:
    """Raise `BadOption` for an unknown rule."""
    if rule not in RULES:
        raise BadOption(f"option rule={rule} is unknown; rules: {', '.join(RULES)}")


def takes_best_of_three(rule: str, n_points: int, has_mask: bool) -> bool:
    """Whether the answer to a prompt of `n_points` clicks is one of the three candidates, not the single mask."""
    return rule == "segnext" or (rule == "default" and n_points == 1 and not has_mask)


def overlaps(masks: Tensor, mask: Tensor) -> Tensor:
    """IoU of each of `masks` (..., K, H, W) with `mask` (..., 1, H, W), both bool: float32 (..., K)."""
    both, either = (masks & mask).sum(dim=(-2, -1)), (masks | mask).sum(dim=(-2, -1))
    return both / either.clamp(min=1)
