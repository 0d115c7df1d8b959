"""PASCAL VOC as RITM reads it: palette colours as greys, each grey an object, the band's grey ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.datasets.pascal_voc import PascalVOC
from iiszoo.data.inspection import inspect
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Indices = NDArray[np.uint8]


def voc_palette() -> list[int]:
    """VOC's colour map (VOClabelcolormap.m): the bits of the index, spread over red, green and blue."""
    colours = []
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        colours += channels
    return colours


def with_palette(indices: Indices) -> Image.Image:
    picture = Image.fromarray(indices, "P")
    picture.putpalette(voc_palette())
    return picture


@pytest.fixture
def indices() -> Indices:
    """uint8 `(24, 32)`: objects 1 to 3 in a band of 255."""
    values = np.zeros((24, 32), np.uint8)
    for k in range(3):
        values[4:14, 2 + 10 * k : 10 + 10 * k] = 255
        values[5:13, 3 + 10 * k : 9 + 10 * k] = k + 1
    return values


@pytest.fixture
def tree(save: Save, tmp_path: Path, indices: Indices) -> Path:
    """Two images in the layout of the archive, under VOCdevkit/VOC2012."""
    place = "VOCdevkit/VOC2012"
    for name, values in (("2007_000033", indices), ("2007_000042", indices * (indices != 3))):
        save(f"{place}/JPEGImages/{name}.jpg")
        save(f"{place}/SegmentationObject/{name}.png", with_palette(values))
        classes = np.array([0, 1, 15, 15, *[0] * 251, 255], np.uint8)[values]
        save(f"{place}/SegmentationClass/{name}.png", with_palette(classes))
    lists = tmp_path / place / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2007_000033\n2007_000042\n")
    (lists / "train.txt").write_text("2007_000042\n")
    return tmp_path / place


def greys(n: int) -> list[int]:
    colours = np.array(voc_palette(), np.uint8).reshape(1, 256, 3)
    return [int(grey) for grey in cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)[0, 1 : n + 1]]


def test_every_object_is_a_sample_and_the_band_is_ignored(tree: Path, indices: Indices) -> None:
    dataset = load_dataset("pascal_voc", root=tree)
    first, second, third = sorted((grey, k + 1) for k, grey in enumerate(greys(3)))
    assert [grey for grey, _ in (first, second, third)] == [38, 75, 113]
    ids = [f"2007_000033__{grey}" for grey in (38, 75, 113)] + [f"2007_000042__{grey}" for grey in (38, 75)]
    assert [sample.id for sample in dataset] == ids
    for i, (_, index) in enumerate((first, second, third)):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, indices == index)
        assert target.ignore is not None
        assert np.array_equal(target.ignore, indices == 255)
        assert inspect(dataset[i]).fault is None
    assert list(dataset.check_files()) == []
    assert registry().datasets.resolve("pascal_voc").n_samples == 3417


def test_the_rule_is_upstreams(tree: Path) -> None:
    upstream = cv2.cvtColor(
        cv2.imread(str(tree / "SegmentationObject" / "2007_000033.png")), cv2.COLOR_BGR2GRAY
    ).astype(int)
    dataset = load_dataset("pascal_voc", root=tree)
    objects = [int(value) for value in np.unique(upstream) if value not in (0, 220)]
    assert [sample.id for sample in dataset[:3]] == [f"2007_000033__{value}" for value in objects]
    for i, value in enumerate(objects):
        target = dataset[i].read_target()
        assert np.array_equal(target.object, upstream == value)
        assert np.array_equal(target.ignore, upstream == 220)


def test_objects_of_one_grey_are_one_sample(tree: Path, save: Save) -> None:
    row = np.zeros((24, 32), np.uint8)
    row[3, :25] = np.arange(25)
    save("VOCdevkit/VOC2012/SegmentationObject/2007_000042.png", with_palette(row))
    dataset = load_dataset("pascal_voc", root=tree)
    targets = [dataset[i].read_target().object for i in range(3, len(dataset))]
    twins = [set(np.flatnonzero(target[3])) for target in targets if target.sum() > 1]
    assert sorted(map(sorted, twins)) == [[1, 16], [3, 18], [6, 21], [9, 24]]
    assert len(targets) == 20


def test_a_mask_saved_grey_counts_by_its_values(tree: Path, save: Save, indices: Indices) -> None:
    save("VOCdevkit/VOC2012/SegmentationObject/2007_000033.png", indices)
    masks = PascalVOC(tree, "val").read_masks(0)[:, :, 0]
    assert np.array_equal(masks, np.where(indices == 255, -1, indices.astype(int)))


def test_full_masks_with_classes_for_training(tree: Path) -> None:
    dataset = PascalVOC(tree)
    assert len(dataset) == 1
    sample = dataset[0]
    assert (sample.masks.shape, sample.masks.dtype) == ((24, 32, 1), np.int16)
    assert np.unique(sample.masks).tolist() == [-1, 0, *sorted(greys(2))]
    assert sample.info["classes"] == {(0, greys(2)[0]): "aeroplane", (0, greys(2)[1]): "person"}
    (tree / "SegmentationClass" / "2007_000042.png").unlink()
    assert dataset[0].info == {}


def test_a_broken_mask_and_one_of_another_size_are_reported(tree: Path, save: Save) -> None:
    broken = tree / "SegmentationObject" / "2007_000033.png"
    broken.write_bytes(b"no picture")
    save("VOCdevkit/VOC2012/SegmentationObject/2007_000042.png", np.ones((5, 6), np.uint8))
    dataset = load_dataset("pascal_voc", root=tree)
    faults = [inspect(dataset[i]).fault or "" for i in range(len(dataset))]
    assert str(broken) in faults[0]
    assert ["24x32 but 5x6" in fault for fault in faults] == [False, True]
    check = list(dataset.check_files())
    assert len(check) == 2
    assert str(broken) in check[0]
    assert "24x32 but 5x6" in check[1]
