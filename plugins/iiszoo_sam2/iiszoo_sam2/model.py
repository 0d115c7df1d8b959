"""SAM 2.1 and EdgeTAM as models of the standard format: the encoder once per image, the decoder at each click.

All memory is in `z`:

| entry of z                               | meaning                                                                  |
|------------------------------------------|--------------------------------------------------------------------------|
| `embedding`, `fine`, `finest`            | the encoder's output (`iiszoo_sam2.parts`), for all clicks and objects   |
|                                          | of the image                                                             |
| `low_res_logits`, `answered`,            | see `iiszoo.models.point_prompts`; the logits have 256 x 256 pixels, and |
| `own_output`                             | are clamped                                                              |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from iiszoo.models.candidate_rule import SINGLE, check_rule, chosen
from iiszoo.models.click_model import of_group
from iiszoo.models.point_prompts import Prompt, before_any_answer, clicked_alike, prompts_of
from iiszoo.protocol import Clicks, Images, Outputs, State, join, on_device
from iiszoo_sam2.frame import CLAMP, LOW_RES, from_low_res, points, prior_logits, to_frame
from iiszoo_sam2.parts import SHAPES, Features

STABILITY_DELTA, LEAST_STABILITY = 0.05, 0.98
"""`dynamic_multimask_via_stability` of `build_sam2`, on by default (sam2 2b90b9f, `build_sam.py`)."""


class Sam2:
    """A pure function of its arguments; it stores only the network.

    `encoder`: a frame (1, 3, 1024, 1024) -> its `Features`; `decoder`: as `iiszoo_sam2.parts.Decoder`.

    `rule`: which of the decoder's candidates becomes the output (`iiszoo.models.candidate_rule`).

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
        return {**features, **before_any_answer(x, LOW_RES)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction; sessions with equally many clicks share a call. An element without any click keeps its
        previous output."""
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in x]
        prompts = prompts_of(z, [points(pcs, ncs, b, size) for b, size in enumerate(sizes)], prior_logits)
        outputs, logits, answered = list(z["prev_output"]), list(z["low_res_logits"]), z["answered"].clone()
        for group in clicked_alike(prompts, lambda prompt: len(prompt.points)):
            answers = self._answer(z, group, [prompts[b] for b in group])
            for b, answer, clamped in zip(group, answers, answers.clamp(-CLAMP, CLAMP), strict=True):
                outputs[b] = torch.sigmoid(from_low_res(answer, sizes[b]))
                logits[b] = clamped
            answered[group] = True
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        state = {"low_res_logits": torch.stack(logits), "answered": answered, "own_output": y, "prev_output": y}
        return y, {**z, **state}

    def _answer(self, z: State, group: list[int], prompts: list[Prompt]) -> Tensor:
        """The chosen candidates of some sessions, logits (n, 1, 256, 256)."""
        no_mask = z["low_res_logits"].new_zeros(1, LOW_RES, LOW_RES)
        masks = torch.stack([no_mask if prompt.mask is None else prompt.mask for prompt in prompts])
        has_mask = on_device(torch.tensor([float(prompt.mask is not None) for prompt in prompts]), masks.device)
        features = (of_group(z[name], group) for name in SHAPES)
        clicks = torch.stack([prompt.points for prompt in prompts])
        candidates, quality = self.decoder(*features, clicks, masks, has_mask)
        unstable = stability(candidates[:, SINGLE]) < LEAST_STABILITY
        number = chosen(self.rule, prompts, candidates, quality, unstable)
        return candidates[torch.arange(len(group), device=number.device), number][:, None]


def stability(logits: Tensor) -> Tensor:
    """Of masks (n, 256, 256), the share (n,) of the pixels above -STABILITY_DELTA that are above STABILITY_DELTA; 1 for
    an empty mask.
    """
    surely, possibly = ((logits > delta).sum(dim=(1, 2)) for delta in (STABILITY_DELTA, -STABILITY_DELTA))
    return torch.where(possibly > 0, surely / possibly, 1.0)
