"""SegNext's frame: images are squashed to 1024 x 1024, whatever their aspect, and so are previous masks and clicks.

Source: `PlainVitModel.preprocess`, `get_prompt_feats`, `forward` and `postprocess` of uncbiag/SegNext at 4c45ce8
(`isegm/model/is_plainvit_model.py`). Padding, of which the paper speaks, is used in its training alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iiszoo.clicking.encode import disk
from iiszoo.models.imagenet import normalise
from iiszoo.protocol import Click

FRAME = 1024
LOW_RES = 256
"""The side of the decoder's map, which covers the whole frame."""
RADIUS = 5
"""Of a click's disk, in pixels of the frame."""


def squashed(values: Tensor) -> Tensor:
    """float (C, H, W) -> (C, 1024, 1024): bilinear, not antialiased."""
    return F.interpolate(values[None], (FRAME, FRAME), mode="bilinear", align_corners=False)[0]


def to_frame(image: Tensor) -> Tensor:
    """The encoder's input, float32 (3, 1024, 1024), of one image, float32 (3, H, W) in [0, 1], RGB: normalised by
    ImageNet's statistics, then squashed.
    """
    return squashed(normalise(image))


def in_frame(clicks: Sequence[Click], size: tuple[int, int]) -> list[tuple[int, int]]:
    """Clicks (row, col) on an image of `size` (H, W) as pixels of the frame.

    Rounded half up in float32, as upstream's tensors are. The last pixels of an image of more than 2048 rows or columns
    become 1024, just outside; most of such a click's disk is still inside.
    """
    if not clicks:
        return []
    rows, columns = (
        (torch.tensor([click[axis] for click in clicks]) * (FRAME / size[axis]) + 0.5).to(torch.int64).tolist()
        for axis in (0, 1)
    )
    return list(zip(rows, columns, strict=True))


def click_maps(
    previous: Sequence[Tensor], positives: Sequence[Sequence[Click]], negatives: Sequence[Sequence[Click]]
) -> Tensor:
    """The decoder's maps for N sessions, float32 (N, 3, 1024, 1024): previous probabilities, positive, negative disks.

    `previous`: the sessions' previous outputs (1, H, W); `positives`, `negatives`: all their clicks so far.
    """
    sizes = [(int(one.shape[-2]), int(one.shape[-1])) for one in previous]
    drawn = [
        [in_frame(clicks, size) for clicks, size in zip(kind, sizes, strict=True)] for kind in (positives, negatives)
    ]
    disks = disk([drawn[0]], [drawn[1]], (FRAME, FRAME), RADIUS, device=previous[0].device)
    return torch.cat((torch.stack([squashed(one) for one in previous]), disks), dim=1)


def from_frame(low_res: Tensor, size: tuple[int, int]) -> Tensor:
    """The decoder's logits (1, 256, 256) at the resolution of an image of `size` (H, W): (1, H, W).

    Bilinearly to the frame with aligned corners, then to the image without.
    """
    whole = F.interpolate(low_res[None], (FRAME, FRAME), mode="bilinear", align_corners=True)
    logits: Tensor = F.interpolate(whole, size, mode="bilinear", align_corners=False)[0]
    return logits
