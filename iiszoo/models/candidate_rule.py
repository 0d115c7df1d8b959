"""The option `rule` of models whose decoder answers a prompt by several candidate masks, as SAM and its successors do.

Such a decoder has a single mask, number `SINGLE`, for unambiguous prompts, and three others: whole, part, and subpart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from iiszoo.errors import BadOption

if TYPE_CHECKING:
    from torch import Tensor

    from iiszoo.models.point_prompts import Prompt

RULES = ("default", "segnext", "single")
"""`default`, as in upstream's notebooks: for a single click without mask prompt, which is ambiguous between an object
and its parts, the one of three with the highest predicted IoU; otherwise the single mask. `segnext`: the best of three
at every click (the evaluation of SegNext, arXiv 2404.00741). `single`: always the single mask (that of RClicks).

With `default` and an initial mask it is the one of all four that overlaps that mask most: a correction must leave the
rest of the mask as it is.
"""
SINGLE = 0


def check_rule(rule: str) -> None:
    """Raise `BadOption` for an unknown rule."""
    if rule not in RULES:
        raise BadOption(f"option rule={rule} is unknown; rules: {', '.join(RULES)}")


def chosen(
    rule: str, prompts: Sequence[Prompt], masks: Tensor, quality: Tensor, unsure: Tensor | None = None
) -> Tensor:
    """The number of the candidate that becomes the answer to each of n prompts: int64 (n,).

    Args:
        masks: the candidates' logits (n, 4, h, w).
        quality: their predicted IoU (n, 4).
        unsure: bool (n,), where the best of three replaces the single mask.
    """
    import torch  # here, since `RULES` is read by those that run no model

    from iiszoo.protocol import on_device

    best = 1 + quality[:, 1:].argmax(dim=1)
    several = on_device(torch.tensor([_takes_best_of_three(rule, prompt) for prompt in prompts]), quality.device)
    number = best.where(several if unsure is None else several | unsure, SINGLE)
    for k, prompt in enumerate(prompts):
        if rule == "default" and prompt.initial and prompt.mask is not None:
            number[k] = _overlaps(masks[k] > 0, prompt.mask > 0).argmax()
    return number


def _takes_best_of_three(rule: str, prompt: Prompt) -> bool:
    return rule == "segnext" or (rule == "default" and len(prompt.points) == 1 and prompt.mask is None)


def _overlaps(masks: Tensor, mask: Tensor) -> Tensor:
    """IoU of each of `masks` (K, h, w) with `mask` (1, h, w), both bool: float32 (K,)."""
    both, either = (masks & mask).sum(dim=(-2, -1)), (masks | mask).sum(dim=(-2, -1))
    return both / either.clamp(min=1)
