"""The rules of zoom-in, in the words of upstream's `ZoomIn`."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.models.zoom import (
    Box,
    Zoom,
    _by_sides,
    bounding_box,
    bounding_boxes,
    crop,
    crop_size,
    cut,
    from_inclusive,
    holds,
    next_roi,
    no_boxes,
    object_roi,
    paste,
    read_boxes,
    roi_iou,
    to_crop,
    whole_image,
    write_boxes,
)

SIZE = (300, 400)


def painted(box: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> torch.Tensor:
    """1 in the box, 0 elsewhere: float32 (H, W)."""
    mask = torch.zeros(size)
    mask[box[0] : box[1], box[2] : box[3]] = 1
    return mask


def test_the_region_is_the_box_expanded_and_cut_off_at_the_border() -> None:
    large = Box(100, 200, 50, 350)
    assert object_roi(large, [], 1.4, 10, SIZE) == (80, 221, 0, 400)
    assert object_roi(Box(150, 160, 200, 210), [], 1.4, 200, SIZE) == (54, 255, 104, 305)  # halves to the even one
    assert object_roi(large, [(10, 60)], 1.0, 10, SIZE) == (10, 201, 50, 351)


def test_until_there_is_an_object_the_whole_image_is_seen() -> None:
    shown = Box(100, 200, 150, 250)
    assert next_roi(Zoom(), None, shown, [(150, 200)], 1, SIZE) == (None, False)
    assert next_roi(Zoom(), None, None, [(150, 200)] * 2, 2, SIZE) == (None, False)
    assert next_roi(Zoom(skip_clicks=-1), None, None, [(150, 200)], 1, SIZE) == ((0, 300, 0, 400), True)
    assert next_roi(Zoom(skip_clicks=-1), None, shown, [(150, 200)], 1, SIZE) == ((50, 251, 100, 301), True)


def test_a_region_is_kept_until_a_positive_click_leaves_it_or_the_object_does() -> None:
    before = Box(50, 251, 100, 301)
    same = Box(110, 190, 160, 240)
    assert next_roi(Zoom(), before, same, [(150, 200)], 2, SIZE) == (before, True)
    moved = Box(50, 251, 100, 302)  # a click on the region's own last column counts as outside
    assert next_roi(Zoom(), before, same, [(150, 300)], 2, SIZE)[0] != before
    assert next_roi(Zoom(), before, same, [(150, 299)], 2, SIZE)[0] == before
    small = Box(10, 21, 10, 21)
    assert next_roi(Zoom(), before, small, [(150, 200)], 2, SIZE)[0] != before
    assert next_roi(Zoom(keep_iou=math.inf), moved, same, [], 2, SIZE) == (before, True)
    assert next_roi(Zoom(), before, None, [(150, 200)], 3, SIZE) == (before, False)


def test_the_overlap_is_the_product_of_the_ranges() -> None:
    ten = Box(0, 10, 0, 10)
    assert roi_iou(ten, ten) == 1
    assert roi_iou(ten, Box(5, 15, 0, 5)) == pytest.approx(5 / 15 * 5 / 10)
    assert roi_iou(ten, Box(10, 20, 0, 10)) == 0


def test_the_crop_keeps_its_aspect_unless_its_size_is_given() -> None:
    assert crop_size(Box(0, 281, 36, 237), 400) == (400, 286)
    assert crop_size(Box(0, 281, 36, 237), (448, 448)) == (448, 448)
    assert crop_size(Box(0, 1, 0, 1000), 400) == (1, 400)


def test_skipping_no_click_is_refused() -> None:
    with pytest.raises(ValueError, match="skip_clicks must be -1, or 1 or more, not 0"):
        Zoom(skip_clicks=0)


_side = st.integers(1, 60)


@st.composite
def _image_and_box(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    height, width = draw(_side), draw(_side)
    rows = sorted(draw(st.tuples(st.integers(0, height - 1), st.integers(0, height - 1))))
    columns = sorted(draw(st.tuples(st.integers(0, width - 1), st.integers(0, width - 1))))
    return (height, width), from_inclusive((*rows, *columns))


@given(_image_and_box())
@settings(max_examples=50, deadline=None)
def test_an_unscaled_crop_goes_back_where_it_came_from(case: tuple[tuple[int, int], Box]) -> None:
    size, box = case
    image = torch.rand(1, *size)
    own = (box.height, box.width)
    back = paste(crop(image, box, own), box, size)
    inside = painted(box, size) > 0
    assert torch.equal(back[0], torch.where(inside, image[0], torch.zeros(())))
    assert to_crop([(box.top, box.left), (box.bottom, box.right)], box, own) == [(0, 0), own]


@given(
    _image_and_box(),
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=4),
    st.floats(1, 2),
    st.integers(0, 80),
)
@settings(max_examples=100, deadline=None)
def test_the_region_lies_in_the_image_and_holds_object_and_clicks(
    case: tuple[tuple[int, int], Box], clicks: list[tuple[int, int]], expansion: float, min_crop: int
) -> None:
    size, box = case
    clicks = [(row % size[0], col % size[1]) for row, col in clicks]
    roi = object_roi(box, clicks, expansion, min_crop, size)
    assert roi.clip(whole_image(size)) == roi
    assert box.clip(roi) == box
    assert holds(Box(roi.top, roi.bottom + 1, roi.left, roi.right + 1), clicks)


@given(_image_and_box())
@settings(max_examples=50, deadline=None)
def test_a_bounding_box_is_that_of_what_was_painted(case: tuple[tuple[int, int], Box]) -> None:
    size, box = case
    mask = painted(box, size) > 0
    assert bounding_box(mask.numpy()) == box
    assert int(mask.sum()) == box.height * box.width
    assert bool(cut(mask, box).all())
    assert bounding_box((mask & False).numpy()) is None
    values = [0.6 * mask, 0.6 * painted((1, 2, 0, 2), (2, 3)), 0.5 * mask]
    for boxes in (bounding_boxes, _by_sides):  # as on a CPU, as on a GPU
        assert boxes(values, 0.5) == [box, (1, 2, 0, 2), None]
    assert bounding_boxes([], 0.5) == []


@given(_image_and_box(), _image_and_box())
@settings(max_examples=50, deadline=None)
def test_a_clipped_box_holds_what_both_hold(
    one: tuple[tuple[int, int], Box], other: tuple[tuple[int, int], Box]
) -> None:
    size = (60, 60)
    both = painted(one[1], size).bool() & painted(other[1], size).bool()
    clipped = one[1].clip(other[1])
    assert clipped.empty == (not both.any())
    assert clipped.empty or clipped == bounding_box(both.numpy())


@pytest.mark.parametrize("box", [None, Box(0, 1, 0, 1), Box(3, 3, 7, 5), Box(-1, 4, -1, 4)])
def test_a_state_keeps_the_box_of_each_element(box: Box | None) -> None:
    boxes = write_boxes([Box(1, 2, 3, 4), box, None])
    assert boxes.dtype == torch.int64
    assert boxes.shape == (3, 4)
    assert read_boxes(boxes) == [(1, 2, 3, 4), box, None]
    assert read_boxes(no_boxes(2)) == [None, None]
