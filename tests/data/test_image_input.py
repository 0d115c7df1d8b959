"""Images and masks in memory, as programs have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from iiszoo.data.image_input import to_mask, to_rgb
from iiszoo.errors import BadOption, DatasetError, IISZooError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
GREY = RGB[:, :, 0]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RGB, RGB),
        (RGB[:, ::-1], RGB[:, ::-1]),
        (np.dstack([RGB, GREY]), RGB),
        (GREY, np.dstack([GREY] * 3)),
        (GREY[:, :, None], np.dstack([GREY] * 3)),
        (Image.fromarray(RGB), RGB),
        (Image.fromarray(GREY), np.dstack([GREY] * 3)),
        (Image.fromarray(np.dstack([RGB, GREY])), RGB),
        (Image.fromarray(GREY > 127), np.dstack([255 * (GREY > 127)] * 3)),
        (Image.fromarray(GREY.astype(np.uint16) << 8), np.dstack([GREY] * 3)),
    ],
)
def test_any_usual_image_becomes_8_bit_rgb(image: Any, expected: Any) -> None:
    found = to_rgb(image)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert np.array_equal(found, expected)


def test_a_photograph_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # a camera held upright
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(RGB, -1)
    assert np.array_equal(to_rgb(Image.open(tmp_path / "a.png")), upright)
    assert np.array_equal(to_rgb(tmp_path / "a.png"), upright)
    assert np.array_equal(to_rgb(str(tmp_path / "a.png")), upright)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (
            RGB / 255,
            "must be uint8, from 0 to 255, not float64; (255 * image).round().astype('uint8') converts",
        ),
        (RGB.astype(np.float32), "not float32"),
        (RGB.astype(np.uint16), "not uint16"),
        (RGB.transpose(2, 0, 1), "not (3, 6, 9); this one has its channels first: image.transpose(1, 2, 0)"),
        (RGB[None], "must have the shape (H, W, 3), (H, W, 4) or (H, W), not (1, 6, 9, 3)"),
        (RGB[:, :, :2], "not (6, 9, 2)"),
        (RGB[:0], "must have pixels"),
        (None, "must be a uint8 array, a Pillow image or a path, not NoneType"),
        ([[1]], "not list"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(image: Any, sentence: str) -> None:
    with pytest.raises(BadOption) as error:
        to_rgb(image)
    assert sentence in str(error.value)


def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (200, 200, 3), np.uint8)).save(tmp_path / "a.png")
    half = (tmp_path / "a.png").read_bytes()[:5000]
    (tmp_path / "half.png").write_bytes(half)
    with pytest.raises(DatasetError, match=r"half\.png"):
        to_rgb(tmp_path / "half.png")
    with pytest.raises(DatasetError, match="the image cannot be decoded"):
        to_rgb(Image.open(tmp_path / "half.png"))


@given(arrays(bool, (6, 9)))
def test_every_usual_form_of_a_mask_means_the_same(mask: np.ndarray) -> None:
    size = (6, 9)
    forms = [mask, mask.astype(np.uint8), mask.astype(np.int64) * 255, Image.fromarray(mask), mask.astype(np.uint8) * 7]
    for form in forms:
        assert np.array_equal(to_mask(form, size), mask)
    probabilities = to_mask(mask * 0.75, size)
    assert probabilities.dtype == np.float32
    assert np.array_equal(probabilities > 0.5, mask)


@given(st.sampled_from([(9, 6), (6, 9, 3), (6,), (1, 6, 9)]))
def test_a_mask_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadOption, match="but the image 6 rows and 9 columns"):
        to_mask(np.zeros(shape, bool), (6, 9))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.full((6, 9), 3.0), "probabilities must lie in [0, 1], not from 3 to 3"),
        (np.full((6, 9), np.nan), "probabilities must lie in [0, 1]"),
        (np.arange(54).reshape(6, 9), "several object values"),
        ("absent.png", "absent.png"),
        ([[0]], "a mask must be an array"),
        (np.full((6, 9), "a"), "a mask must be an array"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_sentence(mask: Any, sentence: str) -> None:
    with pytest.raises(IISZooError) as error:
        to_mask(mask, (6, 9))
    assert sentence in str(error.value)
