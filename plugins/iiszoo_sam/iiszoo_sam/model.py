"""SAM as a model of the standard format: the encoder once per image, the decoder at each click, all memory in `z`.

| entry of z       | meaning                                                                                          |
|------------------|--------------------------------------------------------------------------------------------------|
| `embedding`      | the encoder's output, float32 (B, 256, 64, 64): serves every click and object of the image;      |
|                  | beside it what else `Backend.encodings` names                                                    |
| `low_res_logits` | the candidate chosen last, float32 (B, 1, 256, 256): the mask prompt of the next call            |
| `answered`       | bool (B,): whether there was a previous call                                                     |
| `own_output`     | the last output; if `prev_output` differs, it is an initial mask and becomes the mask prompt     |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from iiszoo.models.candidate_rule import SINGLE, check_rule, overlaps, takes_best_of_three
from iiszoo.protocol import Clicks, Images, Outputs, State, empty_output, join
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


class Prompt(NamedTuple):
    """One session's prompt: `coords` (N, 2), `labels` (N,), `mask` (1, 256, 256) or None; `prior`: whether the mask is
    an initial mask, not the model's own last output.
    """

    coords: Tensor
    labels: Tensor
    mask: Tensor | None
    prior: bool


class Sam:
    """A pure function of its arguments; it stores only the backend's weights.

    `rule`: which of the decoder's candidates becomes the output (`iiszoo.models.candidate_rule`); with `"default"` and
    an initial mask, the one of all four that overlaps it most: a correction must leave the rest of the mask as it is.

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
        nothing = empty_output(x)
        return {
            **{name: torch.cat([image[name] for image in encoded]) for name in self.backend.encodings},
            "low_res_logits": encoded[0]["embedding"].new_zeros(len(x), 1, LOW_RES, LOW_RES),
            "answered": torch.zeros(len(x), dtype=torch.bool),
            "own_output": nothing,
            "prev_output": nothing,
        }

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. An element without any click keeps its previous output."""
        prompts = [self._prompt(x[b], z, pcs, ncs, b) for b in range(len(x))]
        outputs = list(z["prev_output"])
        logits = list(z["low_res_logits"])
        answered = z["answered"].clone()
        for group in _alike(prompts):
            candidates, quality = self._decode(z, group, [prompts[b] for b in group])
            for b, masks, scores in zip(group, candidates, quality, strict=True):
                best = self._choose(prompts[b], masks, scores)
                logits[b] = masks[best : best + 1]
                outputs[b] = torch.sigmoid(from_frame(logits[b], (int(x[b].shape[-2]), int(x[b].shape[-1]))))
                answered[b] = True
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        state = {"low_res_logits": torch.stack(logits), "answered": answered, "own_output": y, "prev_output": y}
        return y, {**z, **state}

    def _prompt(self, image: Tensor, z: State, pcs: Clicks, ncs: Clicks, b: int) -> Prompt:
        size = (int(image.shape[-2]), int(image.shape[-1]))
        coords, labels = (part.to(image.device) for part in points(pcs, ncs, b, size, one_scale=self.one_scale))
        previous = z["prev_output"][b]
        if not torch.equal(previous, z["own_output"][b]):
            return Prompt(coords, labels, prior_logits(previous), prior=True)
        return Prompt(coords, labels, z["low_res_logits"][b] if z["answered"][b] else None, prior=False)

    def _decode(self, z: State, group: list[int], prompts: list[Prompt]) -> tuple[Tensor, Tensor]:
        masks = [prompt.mask for prompt in prompts if prompt.mask is not None]
        return self.backend.decode(
            {name: _of(z[name], group) for name in self.backend.encodings},
            torch.stack([prompt.coords for prompt in prompts]),
            torch.stack([prompt.labels for prompt in prompts]),
            torch.stack(masks) if masks else None,
        )

    def _choose(self, prompt: Prompt, masks: Tensor, quality: Tensor) -> int:
        if self.rule == "default" and prompt.prior and prompt.mask is not None:
            return int(overlaps(masks > 0, prompt.mask > 0).argmax())
        if takes_best_of_three(self.rule, len(prompt.labels), prompt.mask is not None):
            return 1 + int(quality[1:].argmax())
        return SINGLE


def _of(values: Tensor, group: list[int]) -> Tensor:
    """The elements of a group, without a copy if these are all: of one image 8 MB and more would be copied."""
    return values if len(group) == len(values) else values[group]


def _alike(prompts: list[Prompt]) -> list[list[int]]:
    """The elements with clicks, grouped by prompts that can share a call: same number of points, with or without mask.

    Shorter prompts could be padded with points labelled as none, but the decoder attends to those too.
    """
    groups: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for b, prompt in enumerate(prompts):
        if len(prompt.labels):
            groups[len(prompt.labels), prompt.mask is not None].append(b)
    return list(groups.values())
