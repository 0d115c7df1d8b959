"""Crops of whole scenes, as RITM trains on them."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest

from iiszoo.data.training import scene_views
from iiszoo.data.training.scene_views import Scene, random_crop

SBD = {"all_flips": True, "quarter_turns": True, "shift": 0.03, "rotation": 3.0}


@pytest.fixture
def scene():
    """Large blobs of two layers; red and green are 100 times the masks."""
    masks = np.zeros((150, 210, 2), np.int32)
    masks[30:110, 20:90, 0] = 1
    masks[60:140, 100:190, 1] = 2
    image = np.zeros((150, 210, 3), np.uint8)
    image[..., :2] = masks * 100
    return Scene(image, masks)


@pytest.mark.parametrize("size", [(96, 128), (320, 480), (64, 400)])
@pytest.mark.parametrize("options", [{}, SBD], ids=["COCO+LVIS", "SBD"])
def test_image_and_masks_move_together(scene, size, options):
    rng = np.random.default_rng(0)
    for _ in range(12):
        seen = random_crop(*scene, rng, size=size, colour=0.0, **options)
        assert seen.image.shape == (*size, 3)
        assert seen.masks.shape == (*size, 2)
        assert seen.masks.dtype == np.int32
        assert set(np.unique(seen.masks)) <= {0, 1, 2}
        differing = np.abs(seen.image[..., :2].astype(int) - 100 * seen.masks).max(2) > 60
        assert differing.mean() < 0.04, "but for the objects' borders, where the image is interpolated"


@pytest.mark.parametrize("factor", [0.75, 0.831, 1.0, 1.4])
def test_masks_are_resized_as_by_opencv(factor):
    values = np.random.default_rng(1).integers(0, 200, (107, 133, 2), np.uint8)
    seen = scene_views._resized(Scene(np.zeros((107, 133, 3), np.uint8), values), factor)
    size = seen.image.shape[1::-1]
    assert (seen.masks == cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)).all()


def test_masks_are_moved_as_by_opencv():
    values = cv2.resize(np.random.default_rng(1).integers(0, 9, (10, 14), np.uint8), (133, 107), interpolation=0)
    seen = scene_views._moved(
        Scene(np.repeat(values[..., None], 3, 2), values[..., None]), 2.5, np.array([0.02, -0.03])
    )
    matrix = cv2.getRotationMatrix2D((133 / 2, 107 / 2), 2.5, 1.0)
    matrix[:, 2] += (-0.03 * 133, 0.02 * 107)
    theirs = cv2.warpAffine(values, matrix, (133, 107), flags=cv2.INTER_NEAREST)
    assert (seen.masks[..., 0] != theirs).mean() < 1e-3


def test_an_image_that_is_too_small_lies_in_the_middle_of_black():
    image = np.full((40, 60, 3), 200, np.uint8)
    masks = np.ones((40, 60, 1), np.uint8)
    seen = random_crop(image, masks, np.random.default_rng(0), size=(81, 100), scale=(1, 1), colour=0.0)
    inside = np.zeros((81, 100), bool)
    inside[20:60, 20:80] = True
    assert (seen.masks[..., 0] == inside).all()
    assert (seen.image == 200 * inside[..., None]).all()


def test_a_crop_shows_an_object_unless_it_may_be_background(scene):
    rng = np.random.default_rng(0)
    crop = partial(random_crop, size=(40, 40), scale=(1, 1))
    corner = np.zeros_like(scene.masks)
    corner[:3, :3] = 1
    assert all(crop(scene.image, scene.masks, rng, background=0.0).masks.any() for _ in range(50))
    without = [not crop(scene.image, corner, rng, background=0.05).masks.any() for _ in range(30)]
    assert any(without)
    nothing = np.zeros_like(corner)
    assert crop(scene.image, nothing, rng, background=1.0) is not None
    assert crop(scene.image[:50, :50], nothing[:50, :50], rng, background=0.0) is None


def test_flips_and_turns_are_those_of_the_recipe():
    """A marked corner: left and right without further options, all four, and lying pictures, with them."""
    image = np.zeros((20, 30, 3), np.uint8)
    masks = np.zeros((20, 30, 1), np.uint8)
    masks[0, 0] = 1
    rng = np.random.default_rng(0)

    def corners(size, **options):
        seen = [random_crop(image, masks, rng, size=size, scale=(1, 1), **options).masks for _ in range(80)]
        return {tuple(np.argwhere(mask[..., 0])[0].tolist()) for mask in seen}

    assert corners((20, 30)) == {(0, 0), (0, 29)}
    assert corners((20, 30), all_flips=True) == {(0, 0), (0, 29), (19, 0), (19, 29)}
    assert len(corners((30, 30), quarter_turns=True)) > 4, "padded differently when it stands"


def test_colours_change_within_their_limits():
    image = np.full((4, 4, 3), 100, np.uint8)
    rng = np.random.default_rng(0)
    assert (scene_views.recoloured(image, rng, 0.0) == image).all()
    seen = np.array([scene_views.recoloured(image, rng, 0.75)[0, 0] for _ in range(4000)], int)
    assert seen.min() >= 100 * 0.85 - 64 - 10 - 2
    assert seen.max() <= 100 * 1.4 + 64 + 10 + 2
    unchanged = (seen == 100).all(1).mean()
    assert 0.04 < unchanged < 0.09, "a quarter of a quarter, and a few by chance"
