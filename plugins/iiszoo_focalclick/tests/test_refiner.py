"""Boxes cut out of maps by products of matrices, as export writes them, against torchvision's roi_align."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import roi_align

from iiszoo_focalclick.refiner import _product

BOXES = {
    "inside": (10.3, 4.7, 30.1, 20.2),
    "everything": (0.0, 0.0, 48.0, 32.0),
    "at the edges": (0.0, 25.5, 9.5, 32.0),
    "less than a pixel": (7.2, 8.1, 7.9, 8.4),
    "empty": (7.0, 8.0, 7.0, 12.0),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("size", [(32, 48), (40, 64)])
def test_a_box_is_sampled_as_roi_align_does(box: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    maps, boxes = torch.randn(2, 3, 32, 48), torch.tensor([box, BOXES["inside"]])
    rois = torch.cat([torch.arange(2)[:, None], boxes], 1)
    wanted = roi_align(maps, rois, size, aligned=True)
    torch.testing.assert_close(_product(maps, boxes, size), wanted, rtol=0, atol=5e-5)
