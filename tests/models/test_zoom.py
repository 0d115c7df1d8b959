"""The rules of zoom-in, in the words of upstream's `ZoomIn`."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iiszoo.models.zoom import Zoom, crop, crop_size, holds, next_roi, object_roi, paste, roi_iou, to_crop

SIZE = (300, 400)


def box(top: int, bottom: int, left: int, right: int, size: tuple[int, int] = SIZE) -> torch.Tensor:
    mask = torch.zeros(size)
    mask[top : bottom + 1, left : right + 1] = 1
    return mask


def test_the_region_is_the_box_expanded_and_cut_off_at_the_border() -> None:
    assert object_roi(box(100, 199, 50, 349) > 0, [], 1.4, 10) == (80, 220, 0, 399)
    assert object_roi(box(150, 159, 200, 209) > 0, [], 1.4, 200) == (54, 254, 104, 304)  # halves to the even number
    assert object_roi(box(100, 199, 50, 349) > 0, [(10, 60)], 1.0, 10) == (10, 200, 50, 350)
    assert object_roi(torch.zeros(SIZE) > 0, [(10, 60)], 1.4, 200) is None


def test_until_there_is_an_object_the_whole_image_is_seen() -> None:
    shown = box(100, 199, 150, 249)
    assert next_roi(Zoom(), None, shown, [(150, 200)], 1, SIZE) == (None, False)
    assert next_roi(Zoom(), None, None, [(150, 200)] * 2, 2, SIZE) == (None, False)
    assert next_roi(Zoom(), None, 0 * shown, [(150, 200)] * 2, 2, SIZE) == (None, False)
    assert next_roi(Zoom(skip_clicks=-1), None, None, [(150, 200)], 1, SIZE) == ((0, 299, 0, 399), True)
    assert next_roi(Zoom(skip_clicks=-1), None, shown, [(150, 200)], 1, SIZE) == ((50, 250, 100, 300), True)


def test_a_region_is_kept_until_a_positive_click_leaves_it_or_the_object_does() -> None:
    before = (50, 250, 100, 300)
    same = box(110, 189, 160, 239)
    assert next_roi(Zoom(), before, same, [(150, 200)], 2, SIZE) == (before, True)
    moved = (50, 250, 100, 301)  # a click on the region's own last column counts as outside
    assert next_roi(Zoom(), before, same, [(150, 300)], 2, SIZE)[0] != before
    assert next_roi(Zoom(), before, same, [(150, 299)], 2, SIZE)[0] == before
    small = box(10, 20, 10, 20)
    assert next_roi(Zoom(), before, small, [(150, 200)], 2, SIZE)[0] != before
    assert next_roi(Zoom(keep_iou=math.inf), moved, same, [], 2, SIZE) == (before, True)
    assert next_roi(Zoom(), before, 0 * same, [(150, 200)], 3, SIZE) == (before, False)


def test_the_previous_probability_must_exceed_the_threshold() -> None:
    half = 0.5 * box(100, 199, 150, 249)
    assert next_roi(Zoom(), None, half, [], 2, SIZE) == (None, False)
    assert next_roi(Zoom(threshold=0.49), None, half, [], 2, SIZE)[1]


def test_the_overlap_is_the_product_of_the_ranges() -> None:
    assert roi_iou((0, 9, 0, 9), (0, 9, 0, 9)) == 1
    assert roi_iou((0, 9, 0, 9), (5, 14, 0, 4)) == pytest.approx(5 / 15 * 5 / 10)
    assert roi_iou((0, 9, 0, 9), (20, 29, 0, 9)) == 0


def test_the_crop_keeps_its_aspect_unless_its_size_is_given() -> None:
    assert crop_size((0, 280, 36, 236), 400) == (400, 286)
    assert crop_size((0, 280, 36, 236), (448, 448)) == (448, 448)
    assert crop_size((0, 0, 0, 999), 400) == (1, 400)


def test_skipping_no_click_is_refused() -> None:
    with pytest.raises(ValueError, match="skip_clicks must be -1, or 1 and more, not 0"):
        Zoom(skip_clicks=0)


_side = st.integers(1, 60)


@st.composite
def _image_and_roi(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    height, width = draw(_side), draw(_side)
    rows = sorted(draw(st.tuples(st.integers(0, height - 1), st.integers(0, height - 1))))
    columns = sorted(draw(st.tuples(st.integers(0, width - 1), st.integers(0, width - 1))))
    return (height, width), (rows[0], rows[1], columns[0], columns[1])


@given(_image_and_roi())
@settings(max_examples=50, deadline=None)
def test_an_unscaled_crop_goes_back_where_it_came_from(case: tuple[tuple[int, int], tuple[int, int, int, int]]) -> None:
    size, roi = case
    image = torch.rand(1, *size)
    own = (roi[1] - roi[0] + 1, roi[3] - roi[2] + 1)
    back = paste(crop(image, roi, own), roi, size)
    inside = torch.zeros(size, dtype=torch.bool)
    inside[roi[0] : roi[1] + 1, roi[2] : roi[3] + 1] = True
    assert torch.equal(back[0], torch.where(inside, image[0], torch.zeros(())))
    assert to_crop([(roi[0], roi[2])], roi, own) == [(0, 0)]


@given(
    _image_and_roi(),
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=4),
    st.floats(1, 2),
    st.integers(0, 80),
)
@settings(max_examples=100, deadline=None)
def test_the_region_lies_in_the_image_and_holds_object_and_clicks(
    case: tuple[tuple[int, int], tuple[int, int, int, int]],
    clicks: list[tuple[int, int]],
    expansion: float,
    min_crop: int,
) -> None:
    size, (top, bottom, left, right) = case
    clicks = [(row % size[0], col % size[1]) for row, col in clicks]
    roi = object_roi(box(top, bottom, left, right, size) > 0, clicks, expansion, min_crop)
    assert roi is not None
    assert 0 <= roi[0] <= top <= bottom <= roi[1] < size[0]
    assert 0 <= roi[2] <= left <= right <= roi[3] < size[1]
    assert holds((roi[0], roi[1] + 1, roi[2], roi[3] + 1), clicks)
