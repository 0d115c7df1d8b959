"""Cascade-forward refinement: while there are few clicks, an answer is refined by giving it back to the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from iiszoo.models.click_model import ClickModel
from iiszoo.protocol import Clicks, Images, Outputs, State, clicks_of, join, split, stack, together_on_cpu

FEW_PIXELS = 20
"""An adaptive cascade ends after a step that changes at most so many pixels of the mask."""
_THRESHOLD = 0.49
"""Of that mask. Upstream's code fixes it, whatever the threshold of the evaluation."""


class Cascade:
    """A `ClickModel` whose answers to at most `clicks` clicks are refined: a pure function of its arguments.

    The model answers once, then up to `steps` times more, each time to the same clicks, with its last answer as
    previous mask; zoom-in may move in between. `adaptive`: end after a step that changes at most 20 pixels.

    Source: `get_prediction` of TitorX/CFR-ICL-Interactive-Segmentation at dadb069
    (`isegm/inference/predictors/base.py`), whose `cascade_step` is `steps` + 1 (its `evaluate_model.py --cf-n STEPS
    --cf-click CLICKS --acf`).
    """

    ragged = True

    def __init__(self, model: ClickModel, steps: int, clicks: int = 1, adaptive: bool = False) -> None:
        self.model, self.steps, self.clicks, self.adaptive = model, steps, clicks, adaptive

    def init_z(self, x: Images) -> State:
        """The model's own."""
        return self.model.init_z(x)

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Sessions that are still refined share calls of the model."""
        y, z = self.model(x, z, pcs, ncs)
        refined = [b for b in range(len(x)) if 0 < len(clicks_of(pcs, b)) + len(clicks_of(ncs, b)) <= self.clicks]
        if not (refined and self.steps):
            return y, z
        outputs, states = list(y), split(z)
        for _ in range(self.steps):
            answers, after = self._again(x, states, pcs, ncs, refined)
            going_on = refined
            if self.adaptive:
                changed = _changed([outputs[b] for b in refined], list(answers))
                going_on = [b for b, pixels in zip(refined, changed, strict=True) if pixels > FEW_PIXELS]
            for b, answer, state in zip(refined, answers, after, strict=True):
                outputs[b], states[b] = answer, state
            refined = going_on
            if not refined:
                break
        y = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**stack(states), "prev_output": y}

    def _again(
        self, x: Images, states: list[State], pcs: Clicks, ncs: Clicks, chosen: list[int]
    ) -> tuple[Outputs, list[State]]:
        """The model's answers to the same clicks for the `chosen` elements, and their states."""
        images: Any = [x[b] for b in chosen]
        picked = [[[interaction[b] for b in chosen] for interaction in clicks] for clicks in (pcs, ncs)]
        y, z = self.model(images, stack([states[b] for b in chosen]), *picked)
        return y, split(z)


def _changed(before: Sequence[Tensor], after: Sequence[Tensor]) -> list[int]:
    """In how many pixels the masks of each two outputs (1, H, W) differ. A GPU is waited for once."""
    pairs = zip(before, after, strict=True)
    counts = together_on_cpu([((one > _THRESHOLD) != (other > _THRESHOLD)).sum() for one, other in pairs])
    return [int(count) for count in counts]
