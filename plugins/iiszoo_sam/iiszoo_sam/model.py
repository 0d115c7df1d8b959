"""SAM as a model of the standard format: the encoder once per image, the decoder at each click, all memory in `z`.

| entry of z                               | meaning                                                                  |
|------------------------------------------|--------------------------------------------------------------------------|
| `embedding`                              | the encoder's output, float32 (B, 256, 64, 64): serves every click and   |
|                                          | object of the image; beside it what else `Backend.encodings` names       |
| `low_res_logits`, `answered`,            | see `iiszoo.models.point_prompts`; the logits of the chosen candidate    |
| `own_output`                             | have 256 x 256 pixels                                                    |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from iiszoo.models.candidate_rule import check_rule, chosen
from iiszoo.models.click_model import of_group
from iiszoo.models.point_prompts import Prompt, before_any_answer, clicked_alike, prompts_of
from iiszoo.protocol import Clicks, Images, Outputs, State, join
from iiszoo_sam.preprocess import LOW_RES, from_frame, to_frame
from iiszoo_sam.prompts import points, prior_logits


class Backend(Protocol):
    """SAM's encoder and decoder, without any memory of images or clicks."""

    device: str
    encodings: tuple[str, ...]
    """The names of what `encode` returns."""

    def encode(self, frame: Tensor) -> dict[str, Tensor]:
        """What `decode` needs of one preprocessed image float32 (1, 3, 1024, 1024), by name, with leading axis 1: the
        `embedding`, float32 (1, 256, 64, 64), and what else this network has.
        """
        ...

    def decode(
        self, image: Mapping[str, Tensor], coords: Tensor, labels: Tensor, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """All four candidates of B prompts of N points: logits float32 (B, 4, 256, 256), predicted IoU (B, 4).

        `image`: what `encode` returned for B images, `coords` (B, N, 2) as (x, y) in the frame, `labels` (B, N),
        `masks` the mask prompts (B, 1, 256, 256), or None for none.
        """
        ...


class Sam:
    """A pure function of its arguments; it stores only the backend's weights.

    `rule`: which of the decoder's candidates becomes the output (`iiszoo.models.candidate_rule`).

    `one_scale`: see `iiszoo_sam.prompts.points`. Raises `BadOption` for an unknown rule.
    """

    ragged = True

    def __init__(self, backend: Backend, rule: str = "default", one_scale: bool = False) -> None:
        check_rule(rule)
        self.backend = backend
        self.rule = rule
        self.one_scale = one_scale

    def init_z(self, x: Images) -> State:
        """Run the encoder, image by image."""
        encoded = [self.backend.encode(to_frame(image)[None]) for image in x]
        features = {name: torch.cat([image[name] for image in encoded]) for name in self.backend.encodings}
        return {**features, **before_any_answer(x, LOW_RES)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. An element without any click keeps its previous output."""
        clicks = [points(pcs, ncs, b, _size(x[b]), one_scale=self.one_scale) for b in range(len(x))]
        prompts = prompts_of(z, clicks, prior_logits)
        outputs = list(z["prev_output"])
        logits = list(z["low_res_logits"])
        answered = z["answered"].clone()
        for group in clicked_alike(prompts, lambda prompt: (len(prompt.points), prompt.mask is not None)):
            for b, answer in zip(group, self._answer(z, group, [prompts[b] for b in group]), strict=True):
                logits[b] = answer
                outputs[b] = torch.sigmoid(from_frame(answer, _size(x[b])))
                answered[b] = True
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        state = {"low_res_logits": torch.stack(logits), "answered": answered, "own_output": y, "prev_output": y}
        return y, {**z, **state}

    def _answer(self, z: State, group: list[int], prompts: list[Prompt]) -> Tensor:
        """The chosen candidates of some sessions, logits (n, 1, 256, 256)."""
        image = {name: of_group(z[name], group) for name in self.backend.encodings}
        clicks = torch.stack([prompt.points for prompt in prompts])
        masks = [prompt.mask for prompt in prompts if prompt.mask is not None]
        candidates, quality = self.backend.decode(
            image, clicks[..., :2], clicks[..., 2], torch.stack(masks) if masks else None
        )
        number = chosen(self.rule, prompts, candidates, quality)
        return candidates[torch.arange(len(group), device=number.device), number][:, None]


def _size(image: Tensor) -> tuple[int, int]:
    return int(image.shape[-2]), int(image.shape[-1])
