"""SAM's frame: every image is scaled so that its longer side has 1024 pixels, and padded at the bottom and right."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

FRAME = 1024
LOW_RES = 256
"""The side of the decoder's masks and of the mask prompt; they cover the whole frame."""

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
"""ImageNet's, for 8-bit RGB. They are not in the state dict (segment-anything dca509f, `build_sam.py`)."""


def frame_size(size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of an image of `size` in the frame."""
    rows, columns = ResizeLongestSide.get_preprocess_shape(*size, FRAME)
    return max(1, rows), max(1, columns)  # upstream gives 0 for an image thinner than 1 : 2048


def to_frame(image: Tensor) -> Tensor:
    """The encoder's input, float32 (3, 1024, 1024), of one image, float (3, H, W) in [0, 1], RGB.

    Resized as in upstream, by Pillow's antialiased bilinear filter on 8-bit values, then normalised, then padded with
    zeros (dca509f, `predictor.py` and `Sam.preprocess`).
    """
    pixels = image.mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    rows, columns = frame_size((int(image.shape[-2]), int(image.shape[-1])))
    scaled = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BILINEAR)
    resized = torch.from_numpy(np.array(scaled)).permute(2, 0, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (PIXEL_MEAN, PIXEL_STD))
    normalised = (resized.to(torch.float32) - mean) / std
    return F.pad(normalised, (0, FRAME - columns, 0, FRAME - rows)).to(image.device)


def from_frame(low_res: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits (1, 256, 256) of the frame at the resolution of an image of `size`: (1, H, W).

    Bilinearly to 1024 x 1024, the padding cut off, bilinearly to the image (dca509f, `Sam.postprocess_masks`).
    """
    whole = F.interpolate(low_res[None], (FRAME, FRAME), mode="bilinear", align_corners=False)
    rows, columns = frame_size(size)
    logits: Tensor = F.interpolate(whole[..., :rows, :columns], size, mode="bilinear", align_corners=False)[0]
    return logits
