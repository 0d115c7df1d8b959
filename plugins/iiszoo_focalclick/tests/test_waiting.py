"""How often a click waits for a GPU, however many sessions share the call."""

from __future__ import annotations

from torch import Tensor

from iiszoo.protocol import as_model
from iiszoo.testing.fake_gpu import waits_per_click
from iiszoo_focalclick.model import DiskNetworks, FocalClickModel
from iiszoo_focalclick.parts import Parts


def coarse(image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    return image[:, :1] + maps[:, :1], image[:, :1, ::4, ::4]


def refine(image: Tensor, *others: Tensor) -> Tensor:
    return image[:, :1]


def test_it_waits_for_the_objects_boxes_and_for_the_focus_boxes() -> None:
    model = as_model(FocalClickModel(DiskNetworks(Parts(5, coarse, refine)), 32, merge="none"))
    assert waits_per_click(model) == [1, 2, 2]


def test_merging_sessions_also_wait_for_their_masks() -> None:
    model = as_model(FocalClickModel(DiskNetworks(Parts(5, coarse, refine)), 32))
    assert waits_per_click(model, from_mask=True) == [3, 3, 3]
