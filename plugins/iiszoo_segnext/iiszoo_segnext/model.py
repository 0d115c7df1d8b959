"""SegNext as a model of the standard format: the encoder once per image, the decoder at each click.

| entry of z       | meaning                                                                                     |
|------------------|---------------------------------------------------------------------------------------------|
| `image_features` | the encoder's output, float32 (B, 768, 64, 64): serves every click and object of the image  |
| `prev_output`    | the previous output, or an initial mask: a channel of the decoder's input, never binarised  |

Source: `BasePredictor` of uncbiag/SegNext at 4c45ce8 (`isegm/inference/predictor.py`). It keeps the previous mask
itself; here everything that a click needs is in its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from iiszoo.models.click_model import shared_calls
from iiszoo.protocol import Clicks, Images, Outputs, State, clicks_of, empty_output, join
from iiszoo_segnext.frame import click_maps, from_frame, to_frame


class SegNext:
    """A pure function of its arguments that takes images of any sizes in one call; it stores only the network.

    `encoder`: the frame (1, 3, 1024, 1024) -> features (1, C, 64, 64). `decoder`: features of N sessions and their
    click maps (N, 3, 1024, 1024) -> logits (N, 1, 256, 256). An element without any click keeps its previous output.
    """

    ragged = True

    def __init__(self, encoder: Callable[[Tensor], Tensor], decoder: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.encoder, self.decoder = encoder, decoder

    def init_z(self, x: Images) -> State:
        """Run the encoder, image by image."""
        features = torch.cat([self.encoder(to_frame(image)[None]) for image in x])
        return {"image_features": features, "prev_output": empty_output(x)}

    def __call__(self, x: Images, z: State, pcs: Clicks, ncs: Clicks) -> tuple[Outputs, State]:
        """One interaction. Sessions on images of any size share a call of the decoder."""
        outputs = list(z["prev_output"])
        clicked = [b for b in range(len(x)) if clicks_of(pcs, b) or clicks_of(ncs, b)]
        for group in shared_calls(clicked, z["image_features"][0].device):
            for b, logits in zip(group, self._decode(z, pcs, ncs, group), strict=True):
                size = (int(x[b].shape[-2]), int(x[b].shape[-1]))
                outputs[b] = torch.sigmoid(from_frame(logits, size))
        y: Any = join(outputs) if isinstance(x, Tensor) else outputs
        return y, {**z, "prev_output": y}

    def _decode(self, z: State, pcs: Clicks, ncs: Clicks, group: list[int]) -> Tensor:
        previous = [z["prev_output"][b] for b in group]
        maps = click_maps(previous, [clicks_of(pcs, b) for b in group], [clicks_of(ncs, b) for b in group])
        return self.decoder(torch.stack([z["image_features"][b] for b in group]), maps)
