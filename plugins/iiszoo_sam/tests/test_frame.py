"""Images, clicks and masks in SAM's frame, against segment-anything's own functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything.utils.transforms import ResizeLongestSide
from small_sam import small_sam

from iiszoo.protocol import to_tensor
from iiszoo_sam.preprocess import FRAME, from_frame, to_frame
from iiszoo_sam.prompts import PRIOR_LOGIT, points, prior_logits

SIZES = [(40, 60), (281, 400), (1030, 17), (1, 1), (17, 1200)]
sides = st.integers(1, 1300)  # below 1 : 2048


@pytest.mark.parametrize("size", SIZES)
def test_an_8_bit_image_is_prepared_as_upstream_does_it(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    resized = ResizeLongestSide(FRAME).apply_image(pixels)
    wanted = small_sam().preprocess(torch.from_numpy(resized).permute(2, 0, 1)[None].float())
    found = to_frame(to_tensor(pixels))
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted[0], atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_masks_come_back_as_upstream_brings_them(size: tuple[int, int]) -> None:
    low_res = torch.randn(1, 256, 256, generator=torch.Generator().manual_seed(0))
    input_size = ResizeLongestSide.get_preprocess_shape(*size, FRAME)
    wanted = small_sam().postprocess_masks(low_res[None], input_size, size)[0]
    assert torch.equal(from_frame(low_res, size), wanted)


@pytest.mark.parametrize("size", [(1, 3000), (5000, 2)])
def test_the_thinnest_images_keep_a_row(size: tuple[int, int]) -> None:
    assert to_frame(torch.rand(3, *size)).shape == (3, FRAME, FRAME)
    assert from_frame(torch.zeros(1, 256, 256), size).shape == (1, *size)


@settings(deadline=None)
@given(sides, sides, st.data())
def test_clicks_become_points_as_upstream_scales_them(height: int, width: int, data: st.DataObject) -> None:
    pixels = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    positive, negative = data.draw(st.lists(pixels, max_size=4)), data.draw(st.lists(pixels, max_size=4))
    prompt = points([[[], positive]], [[[], negative]], 1, (height, width))
    xy = np.array([(c, r) for r, c in [*positive, *negative]], float).reshape(-1, 2)
    wanted = ResizeLongestSide(FRAME).apply_coords(xy, (height, width))
    assert np.allclose(prompt[:, :2].numpy(), wanted, atol=1e-3)
    assert prompt[:, 2].tolist() == [1] * len(positive) + [0] * len(negative)
    scaled = points([[[], positive]], [[[], negative]], 1, (height, width), one_scale=True)
    assert np.allclose(scaled[:, :2].numpy(), xy * (FRAME / max(height, width)), atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_survives_the_frame(size: tuple[int, int]) -> None:
    """The prompt of a mask, mapped back to the image, is that mask except at its edges."""
    mask = torch.zeros(1, *size)
    mask[:, : max(1, size[0] // 2)] = 1
    logits = prior_logits(mask)
    assert logits.shape == (1, 256, 256)
    assert logits.abs().max() <= PRIOR_LOGIT
    back = (from_frame(logits, size) > 0).float()
    assert (back != mask).float().mean() < 0.03
    beyond = logits[:, -1, -1] if size[0] != size[1] else logits.min()
    assert beyond <= -PRIOR_LOGIT or size == (1, 1)
