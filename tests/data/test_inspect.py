"""Whether a sample can be evaluated, and a digest by which two copies of a dataset are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.base import EvaluationDataset, Sample, Target
from iiszoo.data.inspection import UNSEEN, inspect
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.fixture
def one(save: Save, tmp_path: Path) -> Callable[..., EvaluationDataset]:
    """`one(mask)`: a folder with one image and this mask."""

    def one_(mask: NDArray[np.uint8], folder: str = "one", suffix: str = "png", stem: str = "a") -> EvaluationDataset:
        save(f"{folder}/images/{stem}.png")
        save(f"{folder}/masks/{stem}.{suffix}", mask)
        return load_dataset(f"folder:{tmp_path / folder}")

    return one_


def grey(mask: Mask, value: int = 255) -> NDArray[np.uint8]:
    return mask.astype(np.uint8) * np.uint8(value)


def test_a_mask_of_another_size_is_a_fault_with_both_sizes(one: Callable[..., EvaluationDataset]) -> None:
    dataset = one(np.full((24, 31), 255, np.uint8))
    fault = inspect(dataset[0]).fault
    assert fault is not None
    assert "image and mask differ in size (rows x columns): 24x32 but 24x31" in fault
    assert all(file in fault for file in dataset[0].files)
    assert list(dataset.check_files()) == [fault]
    assert inspect(dataset[0], UNSEEN).fault is None


def test_a_turned_mask_is_a_fault(one: Callable[..., EvaluationDataset], object_mask: Mask) -> None:
    assert "24x32 but 32x24" in str(inspect(one(grey(object_mask.T))[0]).fault)


def test_an_empty_target_is_a_fault(one: Callable[..., EvaluationDataset], object_mask: Mask) -> None:
    fault = inspect(one(grey(object_mask, 0))[0]).fault
    assert fault is not None
    assert "a.png: the target is empty; there is nothing to click on" in fault


def test_a_target_that_is_only_ignored_pixels_is_a_fault(
    one: Callable[..., EvaluationDataset], object_mask: Mask
) -> None:
    values = np.where(object_mask, -1, 0).astype(np.int32)
    fault = inspect(one(values, suffix="tif")[0], UNSEEN).fault  # type: ignore[arg-type]
    assert fault is not None
    assert "a.png" in fault
    assert "nothing to click on" in fault


def test_an_object_inside_the_ignored_pixels_is_a_fault(object_mask: Mask) -> None:
    class Covered(EvaluationDataset):
        name, place = "covered", Path()
        ignore = object_mask

        def __len__(self) -> int:
            return 1

        def sample(self, i: int) -> Sample:
            image = np.zeros((24, 32, 3), np.uint8)
            return Sample("whole", "image", ("whole",), lambda: image, lambda: Target(object_mask, self.ignore))

    covered = Covered()
    assert inspect(covered[0]).fault == "whole: the target is entirely ignored; there is nothing to click on"
    covered.ignore = object_mask.copy()
    covered.ignore[3, 5] = False
    assert inspect(covered[0]).fault is None, "one pixel counts"
    assert list(covered.check_files()) == []


def test_the_digest_is_of_pixels_not_of_files(one: Callable[..., EvaluationDataset], object_mask: Mask) -> None:
    as_png = one(grey(object_mask), "png")
    as_bmp = one(grey(object_mask), "bmp", suffix="bmp")
    assert inspect(as_png[0]).target == inspect(as_bmp[0]).target == inspect(as_png[0], UNSEEN).target
    assert len(inspect(as_png[0]).target) == 64
    assert inspect(one(grey(object_mask, 1), "ones")[0]).target == inspect(as_png[0]).target


def test_the_digest_tells_targets_apart(one: Callable[..., EvaluationDataset], object_mask: Mask) -> None:
    one_more, banded = object_mask.copy(), grey(object_mask)
    one_more[0, 0] = True
    banded[10:, :2] = 128
    digests = [
        inspect(one(grey(object_mask), "same")[0]).target,
        inspect(one(grey(one_more), "one-more")[0]).target,
        inspect(one(banded, "ignore")[0]).target,
        inspect(one(grey(object_mask.T), "turned")[0]).target,
        inspect(one(grey(object_mask.reshape(32, 24)), "reshaped")[0]).target,
    ]
    assert len(set(digests)) == len(digests)


def test_all_that_is_wrong_with_a_sample_is_told_together(one: Callable[..., EvaluationDataset]) -> None:
    dataset = one(np.zeros((24, 31), np.uint8))
    fault = str(inspect(dataset[0]).fault)
    assert "the target is empty" in fault
    assert "; " in fault
    assert "24x32 but 24x31" in fault
    for path in dataset[0].files:
        Path(path).write_bytes(b"")
    fault = str(inspect(dataset[0]).fault)
    assert all(f"{path}: cannot be decoded" in fault for path in dataset[0].files)
