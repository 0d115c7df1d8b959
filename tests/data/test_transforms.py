"""Transforms for training: image, mask and ignored pixels go together, the object stays, what comes in is ignored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2

from iiszoo.data.transforms import CropWithObject, UniformResize, training_transform

Item = dict[str, Tensor]


def item(mask: Any, ignored: Any = None) -> Item:
    """An image that shows its own annotation: red where the object is, blue where ignored, green everywhere."""
    object_ = torch.as_tensor(np.asarray(mask, np.uint8))
    ignore = torch.zeros_like(object_) if ignored is None else torch.as_tensor(np.asarray(ignored, np.uint8))
    return {
        "image": tv_tensors.Image(torch.stack([object_, torch.ones_like(object_), ignore]) * 255),
        "mask": tv_tensors.Mask(object_[None]),
        "valid": tv_tensors.Mask(1 - ignore[None]),
    }


def disc(size: tuple[int, int], centre: tuple[float, float], radius: float) -> Any:
    rows, columns = np.indices(size)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


SCENE = item(disc((90, 120), (40, 50), 18), disc((90, 120), (60, 90), 12))


def seeded(transform: Callable[[Item], Item], given: Item, seed: int) -> Item:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transform(given)


def assert_together(done: Item) -> None:
    """The annotation is what the image shows, but for some pixels right at its edges."""
    image, mask, valid = done["image"].float(), done["mask"][0], done["valid"][0]
    assert image.shape[1:] == mask.shape == valid.shape
    assert set(mask.unique().tolist()) | set(valid.unique().tolist()) <= {0, 1}
    shown = {"object": (image[0] > 127, mask == 1), "ignored": ((image[1] < 128) | (image[2] > 127), valid == 0)}
    for name, (seen, told) in shown.items():
        edge = at_an_edge(told)
        assert not ((seen != told) & ~edge).any(), name
        assert (seen != told).sum() <= 0.25 * edge.sum(), name


def at_an_edge(mask: Tensor) -> Tensor:
    """bool `(H, W)`: a neighbour, of eight, is of another kind, or may be: it lies outside."""
    near, far = (functional.max_pool2d(kind[None].float(), 3, 1, 1)[0] > 0 for kind in (mask, ~mask))
    edge = near & far
    edge[[0, -1]] = edge[:, [0, -1]] = True
    return edge


GEOMETRY: dict[str, Callable[[Item], Item]] = {
    "resize": UniformResize((0.5, 1.7)),
    "crop": CropWithObject(64),
    "crop with padding": CropWithObject((150, 100)),
    "all": training_transform(100, degrees=40, vertical_flip=0.5, colour=0),
    "all, padded": training_transform(200, degrees=40, vertical_flip=0.5, colour=0),
    "all, upright": training_transform(100, degrees=0, vertical_flip=0.5, colour=0),
    "torchvision's own": v2.Compose([v2.RandomAffine(30, (0.2, 0.2), interpolation=v2.InterpolationMode.BILINEAR)]),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_image_mask_and_ignored_pixels_go_together(name: str) -> None:
    before = {key: value.clone() for key, value in SCENE.items()}
    for seed in range(15):
        done = seeded(GEOMETRY[name], SCENE, seed)
        assert_together(done)
        assert {key: (type(value), value.dtype) for key, value in done.items()} == {
            "image": (tv_tensors.Image, torch.uint8),
            "mask": (tv_tensors.Mask, torch.uint8),
            "valid": (tv_tensors.Mask, torch.uint8),
        }
    assert all(torch.equal(SCENE[key], before[key]) for key in before), "what a transform gets stays as it is"


def test_corners_that_a_rotation_brings_in_are_ignored() -> None:
    full = item(np.ones((60, 60)))
    done = seeded(training_transform(100, scale=(1, 1), degrees=45, colour=0), full, 1)
    assert 0.9 * 3600 < done["valid"].sum() < 1.1 * 3600, "the image's own pixels count, and no others"
    assert torch.equal(done["valid"], done["mask"])


def test_a_training_transform_gives_the_size_that_was_asked_for() -> None:
    for size in (40, (30, 70), (300, 20)):
        done = seeded(training_transform(size), SCENE, 0)
        rows, columns = (size, size) if isinstance(size, int) else size
        assert done["image"].shape == (3, rows, columns)
        assert done["mask"].shape == done["valid"].shape == (1, rows, columns)


def test_colour_jitter_changes_the_image_alone() -> None:
    plain, jittered = (
        seeded(training_transform(80, scale=(1, 1), degrees=0, horizontal_flip=0, colour=p), SCENE, 3) for p in (0, 1)
    )
    assert not torch.equal(plain["image"], jittered["image"])
    assert torch.equal(plain["mask"], jittered["mask"])
    assert torch.equal(plain["valid"], jittered["valid"])


def test_flips_happen_as_often_as_asked() -> None:
    """The image is as large as the crop, so a flip is all that moves."""
    given = item(disc((40, 40), (8, 6), 4))
    transform = training_transform(40, scale=(1, 1), degrees=0, horizontal_flip=0.5, vertical_flip=0.25, colour=0)
    corners: Counter[tuple[bool, bool]] = Counter()
    for seed in range(400):
        row, column = seeded(transform, given, seed)["mask"][0].nonzero().float().mean(dim=0)
        corners[bool(row > 20), bool(column > 20)] += 1
    for corner, share in {
        (False, False): 3 / 8,
        (False, True): 3 / 8,
        (True, False): 1 / 8,
        (True, True): 1 / 8,
    }.items():
        assert abs(corners[corner] / 400 - share) < 0.1


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    crop=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    objects=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=4),
    tries=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_a_crop_keeps_some_of_the_object_and_pads_with_ignored_background(
    size: tuple[int, int], crop: tuple[int, int], objects: list[tuple[int, int]], tries: int, seed: int
) -> None:
    mask = np.zeros(size, bool)
    for row, column in objects:
        mask[row % size[0], column % size[1]] = True
    done = seeded(CropWithObject(crop, tries=tries), item(mask), seed)
    assert done["mask"].shape == (1, *crop)
    assert done["mask"].any() == mask.any()
    assert done["valid"].sum() == min(size[0], crop[0]) * min(size[1], crop[1]), "as much of the image as fits"
    assert torch.equal(done["valid"][0] == 1, done["image"][1] == 255)
    assert torch.equal(done["mask"][0] == 1, done["image"][0] == 255)


def test_a_crop_holds_as_many_object_pixels_as_asked() -> None:
    mask = disc((100, 100), (20, 20), 6)
    areas = [
        int(seeded(CropWithObject(40, min_area=60, tries=500), item(mask), seed)["mask"].sum()) for seed in range(40)
    ]
    assert min(areas) >= 60
    assert len(set(areas)) > 5, "not just the whole object"
    whole = CropWithObject(40, min_area=10**6, tries=500)
    assert {int(seeded(whole, item(mask), seed)["mask"].sum()) for seed in range(10)} == {int(mask.sum())}


def test_when_tries_run_out_the_crop_is_centred_on_an_object_pixel() -> None:
    mask = np.zeros((101, 101), bool)
    mask[50, 30] = mask[3, 98] = True  # the second is near a corner
    found = Counter()
    for seed in range(60):
        done = seeded(CropWithObject(21, tries=0), item(mask), seed)
        assert done["valid"].all(), "the crop stays within the image"
        found[tuple(done["mask"][0].nonzero()[0].tolist())] += 1
    assert set(found) == {(10, 10), (3, 18)}
    assert min(found.values()) > 15, "each object pixel is equally likely"


def test_crops_are_uniform_over_all_places() -> None:
    given = item(np.ones((5, 6)))
    given["image"] = tv_tensors.Image(torch.arange(30, dtype=torch.uint8).reshape(1, 5, 6).expand(3, 5, 6))
    crop = CropWithObject((3, 5))
    places = Counter(int(seeded(crop, given, seed)["image"][0, 0, 0]) for seed in range(600))
    assert set(places) == {0, 1, 6, 7, 12, 13}
    assert all(60 < count < 140 for count in places.values())
    for tries in (0, 10):
        pad = CropWithObject((8, 6), tries=tries)
        starts = Counter(int(seeded(pad, given, seed)["valid"][0, :, 0].nonzero()[0]) for seed in range(200))
        assert set(starts) == {0, 1, 2, 3}
        assert all(25 < count < 75 for count in starts.values())


def test_a_resize_keeps_the_aspect_and_is_uniform_over_the_scale() -> None:
    given = item(np.zeros((200, 300)))
    sizes = [seeded(UniformResize((0.5, 1.5)), given, seed)["image"].shape[1:] for seed in range(200)]
    factors = np.array([rows / 200 for rows, _ in sizes])
    assert all(abs(columns - 1.5 * rows) <= 1 for rows, columns in sizes)
    assert 0.5 <= factors.min() < 0.52
    assert 1.48 < factors.max() <= 1.5
    assert np.allclose(np.quantile(factors, [0.25, 0.5, 0.75]), [0.75, 1, 1.25], atol=0.1)
    assert seeded(UniformResize((0.001, 0.001)), item(np.zeros((100, 2000))), 0)["image"].shape == (3, 1, 2)


@pytest.mark.parametrize("factor", [0.6, 0.75, 0.9, 1.1, 1.3, 1.4])
def test_a_resized_mask_lies_on_the_resized_object(factor: float) -> None:
    """The plain "nearest" of OpenCV, and of torchvision for masks, is 0.4 to 0.55 pixels off."""
    done = UniformResize((factor, factor))(item(disc((80, 80), (37, 41), 20)))
    weights = done["image"][0].float()
    rows, columns = torch.meshgrid(*map(torch.arange, weights.shape), indexing="ij")
    for axis in (rows, columns):
        shown = float((weights * axis).sum() / weights.sum())
        told = float(axis[done["mask"][0] == 1].float().mean())
        assert abs(shown - told) < 0.2


def test_all_chance_comes_from_torch() -> None:
    transform = training_transform(50, degrees=20, vertical_flip=0.5)
    np.random.seed(0)
    first = seeded(transform, SCENE, 7)
    np.random.seed(1)
    again, other = seeded(transform, SCENE, 7), seeded(transform, SCENE, 8)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["image"], other["image"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UniformResize((0, 1)), "range of factors above 0"),
        (lambda: UniformResize((1.4, 0.75)), "smallest first"),
        (lambda: CropWithObject(0), "size must be at least one pixel, not 0"),
        (lambda: training_transform((5, -1)), "at least one pixel"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
