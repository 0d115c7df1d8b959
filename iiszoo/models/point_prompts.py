"""Prompts of SAM and its successors: all clicks so far as points, and the last answer as a mask.

Such a model keeps in `z`, beside what its encoder returned:

| entry of z       | meaning                                                                                          |
|------------------|--------------------------------------------------------------------------------------------------|
| `low_res_logits` | of the last answer, float32 (B, 1, h, w): the mask prompt of the next call                       |
| `answered`       | bool (B,): whether there was a previous call                                                     |
| `own_output`     | the last output; if `prev_output` differs, it is an initial mask and becomes the mask prompt     |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from iiszoo.protocol import Clicks, Images, State, clicks_of, empty_output, on_device, together_on_cpu


class Prompt(NamedTuple):
    """One session's prompt.

    `points`: see `points`. `mask`: logits (1, h, w), or None; `initial`: whether it is an initial mask, not the model's
    own last answer.
    """

    points: Tensor
    mask: Tensor | None
    initial: bool


def before_any_answer(x: Images, low_res: int) -> State:
    """The entries of a new session, with mask prompts of `low_res` x `low_res`, and `prev_output`."""
    nothing = empty_output(x)
    return {
        "low_res_logits": x[0].new_zeros(len(x), 1, low_res, low_res),
        "answered": torch.zeros(len(x), dtype=torch.bool),
        "own_output": nothing,
        "prev_output": nothing,
    }


def points(pcs: Clicks, ncs: Clicks, b: int, down: float, across: float) -> Tensor:
    """All clicks of element `b`, float32 (N, 3): x, y, and 1 for a positive, 0 for a negative click.

    In the order of the interactions, positive before negative within each. A click at (row, col) is the point (col
    times `across`, row times `down`); prompt encoders add the half pixel themselves.
    """
    found: list[tuple[float, float, float]] = []
    for positive, negative in zip(pcs, ncs, strict=True):
        for clicks, label in ((clicks_of([positive], b), 1.0), (clicks_of([negative], b), 0.0)):
            found += [(col * across, row * down, label) for row, col in clicks]
    return torch.tensor(found, dtype=torch.float32).reshape(-1, 3)


def prompts_of(z: State, points: Sequence[Tensor], prior_logits: Callable[[Tensor], Tensor]) -> list[Prompt]:
    """The prompt of each element; `points` on the CPU. A GPU is waited for once.

    `prior_logits`: an initial mask, probabilities (1, H, W), as a mask prompt.
    """
    prompts = []
    for b, initial in enumerate(_from_outside(z)):
        previous = z["prev_output"][b]
        clicks = on_device(points[b], previous.device)
        own = z["low_res_logits"][b] if z["answered"][b] else None
        prompts.append(Prompt(clicks, prior_logits(previous) if initial else own, initial))
    return prompts


def _from_outside(z: State) -> list[bool]:
    """Whether each element's previous output is not the model's own."""
    pairs = list(zip(z["prev_output"], z["own_output"], strict=True))
    if pairs and pairs[0][0].is_cuda:
        return [bool(value) for value in together_on_cpu([(one != other).any() for one, other in pairs])]
    return [not torch.equal(one, other) for one, other in pairs]


def clicked_alike(prompts: Sequence[Prompt], key: Callable[[Prompt], Hashable]) -> list[list[int]]:
    """The elements that have clicks, grouped by `key`: those that can share a call of the decoder.

    Prompts of a call have equally many points. Shorter ones could be padded with points labelled as none, but the
    decoder attends to those too.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for b, prompt in enumerate(prompts):
        if len(prompt.points):
            groups[key(prompt)].append(b)
    return list(groups.values())
