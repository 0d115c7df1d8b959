"""SAM 2.1 and EdgeTAM as models of the standard format: the encoder once per image, the decoder at each click.

All memory is in `z`:

| entry of z                    | meaning                                                                             |
|-------------------------------|-------------------------------------------------------------------------------------|
| `embedding`, `fine`, `finest` | the encoder's output (`iiszoo_sam2.parts`), for all clicks and objects of the image |
| `low_res_logits`              | of the last answer, clamped, float32 (B, 1, 256, 256): the next call's mask prompt  |
| `answered`                    | bool (B,): whether there was a previous call                                        |
| `own_output`                  | the last output; a `prev_output` that differs is an initial mask: the mask prompt   |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from iiszoo.models.candidate_rule import SINGLE, check_rule, overlaps, takes_best_of_three
from iiszoo.protocol import Clicks, Images, Outputs, State, empty_output, join
from iiszoo_sam2.frame import CLAMP, LOW_RES, from_low_res, points, prior_logits, to_frame
from iiszoo_sam2.parts import SHAPES, Features

STABILITY_DELTA, LEAST_STABILITY = 0.05, 0.98
"""`dynamic_multimask_via_stability` of `build_sam2`, on by default (sam2 2b90b9f, `build_sam.py`)."""


@dataclass(frozen=True)
class Prompt:
    """One session's prompt. `points` (N, 3); `mask` (1, 256, 256), zeros where there is none; `initial`: the mask was
    given from outside."""

    points: Tensor
    mask: Tensor
    has_mask: bool
    initial: bool


class Sam2:
    """A pure function of its arguments; it stores only the network.

    `encoder`: a frame (1, 3, 1024, 1024) -> its `Features`; `decoder`: as `iiszoo_sam2.parts.Decoder`.

    `rule`: which of the decoder's candidates becomes the output (`iiszoo.models.candidate_rule`); with `"default"` and
    an initial mask, the one of all four that overlaps it most: a correction must leave the rest of the mask as it is.

    Where the single mask is to be it but is not stable, the best of three replaces it: its pixels above
    STABILITY_DELTA are then less than LEAST_STABILITY of those above -STABILITY_DELTA.

    Raises `BadOption` for an unknown rule.
    """

    ragged = True

    def __init__(
        self,
        encoder: Callable[[Tensor], Features],
        decoder: Callable[..., tuple[Tensor, Tensor]],
        rule: str = "default",
    ) -> None:
        check_rule(rule)
        self.encoder, self.decoder, self.rule = encoder, decoder, rule

    def init_z(self, x: Images) -> State:
        """Run the encoder, image by image."""
        encoded = [self.encoder(to_frame(image)[None]) for image in x]
        features = {name: torch.cat(values) for name, values in zip(SHAPES, zip(*encoded, strict=True), strict=True)}
        nothing = empty_output(x)
        return {
            **features,
            "low_res_logits": x[0].new_zeros(len(x), 1, LOW_RES, LOW_RES),
            "answered": torch.zeros(len(x), dtype=torch.bool),
            "own_output": nothing,
            "prev_output": nothing,
        }

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction; sessions with equally many clicks share a call. An element without any click keeps its
        previous output."""
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in x]
        prompts = [self._prompt(z, b, points(pcs, ncs, b, sizes[b]).to(x[b].device)) for b in range(len(x))]
        outputs, logits, answered = list(z["prev_output"]), z["low_res_logits"].clone(), z["answered"].clone()
        for group in _by_number_of_points(prompts):
            chosen = self._answer(z, group, [prompts[b] for b in group])
            for b, answer in zip(group, chosen, strict=True):
                outputs[b] = torch.sigmoid(from_low_res(answer, sizes[b]))
            logits[group], answered[group] = chosen.clamp(-CLAMP, CLAMP), True
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "low_res_logits": logits, "answered": answered, "own_output": y, "prev_output": y}

    def _prompt(self, z: State, b: int, clicks: Tensor) -> Prompt:
        previous = z["prev_output"][b]
        if not torch.equal(previous, z["own_output"][b]):
            return Prompt(clicks, prior_logits(previous), has_mask=True, initial=True)
        return Prompt(clicks, z["low_res_logits"][b], has_mask=bool(z["answered"][b]), initial=False)

    def _answer(self, z: State, group: list[int], prompts: list[Prompt]) -> Tensor:
        """The chosen candidates of some sessions, logits (n, 1, 256, 256)."""
        masks = torch.stack([prompt.mask for prompt in prompts])
        has_mask = masks.new_tensor([prompt.has_mask for prompt in prompts])
        everyone = len(group) == len(z["embedding"])  # the features are large: no copy of them
        features = (z[name] if everyone else z[name][group] for name in SHAPES)
        candidates, quality = self.decoder(
            *features, torch.stack([prompt.points for prompt in prompts]), masks, has_mask
        )
        several = [takes_best_of_three(self.rule, len(prompt.points), prompt.has_mask) for prompt in prompts]
        best = 1 + quality[:, 1:].argmax(dim=1)
        unstable = stability(candidates[:, SINGLE]) < LEAST_STABILITY
        index = torch.where(torch.tensor(several, device=best.device) | unstable, best, SINGLE)
        if self.rule == "default" and any(prompt.initial for prompt in prompts):
            initial = has_mask.new_tensor([prompt.initial for prompt in prompts]) > 0
            index = torch.where(initial, overlaps(candidates > 0, masks > 0).argmax(dim=1), index)
        return candidates[torch.arange(len(group), device=index.device), index][:, None]


def stability(logits: Tensor) -> Tensor:
    """Of masks (n, 256, 256), the share (n,) of the pixels above -STABILITY_DELTA that are above STABILITY_DELTA; 1 for
    an empty mask.
    """
    surely, possibly = ((logits > delta).sum(dim=(1, 2)) for delta in (STABILITY_DELTA, -STABILITY_DELTA))
    return torch.where(possibly > 0, surely / possibly, 1.0)


def _by_number_of_points(prompts: list[Prompt]) -> list[list[int]]:
    """The elements with clicks, by the number of their points, which a call's prompts share.

    Shorter prompts could be filled up with points labelled as none, but the decoder attends to those too.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for b, prompt in enumerate(prompts):
        if len(prompt.points):
            groups[len(prompt.points)].append(b)
    return list(groups.values())
