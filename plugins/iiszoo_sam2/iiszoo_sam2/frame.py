"""The frame in which SAM 2 sees every image: 1024 x 1024, whatever its shape, without padding.

The rules are those of sam2 2b90b9f, `sam2/utils/transforms.py` (`SAM2Transforms`) and `sam2_image_predictor.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iiszoo.models import point_prompts
from iiszoo.protocol import Clicks

FRAME = 1024
LOW_RES = 256
"""The side of the decoder's masks and of the mask prompt; they cover the whole frame."""
CLAMP = 32.0
"""Logits that are fed back as mask prompt lie within -CLAMP .. CLAMP; those that become the answer are not limited."""
PRIOR_LOGIT = 10.0
"""The largest magnitude of an initial mask's logits: what SAM 2 takes for a mask that is given to it in a video
(`sam2_base.py`, `_use_mask_as_output`)."""


def to_frame(image: Tensor) -> Tensor:
    """One image float (3, H, W) in [0, 1], RGB, in the frame: float32 (3, 1024, 1024), resized with antialiasing."""
    return _resized(image.float(), FRAME)


def from_low_res(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits (1, 256, 256) of the frame at the resolution of an image of `size`: (1, H, W), in one bilinear step."""
    return F.interpolate(logits[None], size, mode="bilinear", align_corners=False)[0]


def points(pcs: Clicks, ncs: Clicks, b: int, size: tuple[int, int]) -> Tensor:
    """All clicks of element `b` in the frame: `iiszoo.models.point_prompts.points`."""
    return point_prompts.points(pcs, ncs, b, FRAME / size[0], FRAME / size[1])


def prior_logits(mask: Tensor) -> Tensor:
    """An initial mask, probabilities (1, H, W), as a mask prompt: logits float32 (1, 256, 256), at most PRIOR_LOGIT."""
    return torch.logit(_resized(mask.float(), LOW_RES), eps=1e-6).clamp(-PRIOR_LOGIT, PRIOR_LOGIT)


def _resized(planes: Tensor, side: int) -> Tensor:
    return F.interpolate(planes[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
