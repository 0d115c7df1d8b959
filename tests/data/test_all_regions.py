"""`AllRegions`: each (image, layer, value) of a dataset with full masks is one sample for evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from seg_samples import Listed

from iiszoo.data.all_regions import AllRegions
from iiszoo.data.base import Target
from iiszoo.data.inspection import inspect
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError

IMAGES = [np.full((4, 5, 3), value, np.uint8) for value in (10, 20, 30)]


def masks(*layers: str) -> Any:
    """Full masks from drawings of 4 rows: a digit is a value, - is ignored."""
    values = [[[{"-": -1}.get(c, c) for c in row] for row in layer.split()] for layer in layers]
    return np.array(values, np.int16).transpose(1, 2, 0)


SAMPLES = [
    (IMAGES[0], masks("22200 20-00 00-00 05550"), {}),
    (IMAGES[1], masks("00000 00000 00000 00000"), {}),
    (IMAGES[2], masks("00100 00000 00000 00000", "0000- 01100 01100 00000"), {}),
]


@pytest.fixture
def source() -> Listed:
    return Listed(SAMPLES)


def ids(dataset: AllRegions) -> list[str]:
    return [sample.id for sample in dataset]


def test_regions_are_enumerated_image_by_image_layer_by_layer_by_value(source: Listed) -> None:
    dataset = AllRegions("all", source)
    assert (dataset.name, dataset.place) == ("all", source.place)
    assert ids(dataset) == ["photo0__2", "photo0__5", "photo2__1", "photo2__1.1"]
    assert by_image(dataset) == [[0, 1], [2, 3]]
    assert [dataset[i].image_id for i in range(4)] == ["photo0", "photo0", "photo2", "photo2"]
    assert dataset[3].files == ("photo2",)
    assert all(inspect(dataset[i]).fault is None for i in range(4))


def test_a_target_is_one_value_of_one_layer_and_ignores_what_its_layer_ignores(source: Listed) -> None:
    dataset = AllRegions("all", source)
    assert np.array_equal(dataset[1].read_image(), IMAGES[0])
    targets = [dataset[i].read_target() for i in range(4)]
    assert all(isinstance(target, Target) and target.object.dtype == bool for target in targets)
    first = SAMPLES[0][1][:, :, 0]
    assert np.array_equal(targets[0].object, first == 2)
    assert np.array_equal(targets[1].object, first == 5)
    assert np.array_equal(targets[1].ignore, first == -1)
    assert targets[2].ignore is None, "what layer 1 ignores is known in layer 0"
    assert np.array_equal(targets[3].object, SAMPLES[2][1][:, :, 1] == 1)
    assert targets[3].ignore is not None
    assert targets[3].ignore.sum() == 1


@pytest.mark.parametrize(
    ("min_area", "left"),
    [
        (1, ["photo0__2", "photo0__5", "photo2__1", "photo2__1.1"]),
        (2, ["photo0__2", "photo0__5", "photo2__1.1"]),
        (4, ["photo0__2", "photo2__1.1"]),
        (5, []),
    ],
)
def test_regions_of_fewer_pixels_are_no_samples(source: Listed, min_area: int, left: list[str]) -> None:
    assert ids(AllRegions("all", source, min_area=min_area)) == left


def test_what_a_source_says_of_its_regions_counts(source: Listed) -> None:
    source.regions = lambda i: [region for region in Listed.regions(source, i) if region.value == 5]  # type: ignore
    assert ids(AllRegions("fives", source)) == ids(AllRegions("fives", source, min_area=3)) == ["photo0__5"]
    assert ids(AllRegions("fives", source, min_area=4)) == []


def test_an_image_that_cannot_be_read_is_one_broken_sample(source: Listed) -> None:
    source.samples[1] = (IMAGES[1], masks("00000 00000 00000 00000")[:, :, 0], {})
    dataset = AllRegions("all", source)
    assert ids(dataset) == ["photo0__2", "photo0__5", "photo1", "photo2__1", "photo2__1.1"]
    faults = [inspect(dataset[i]).fault for i in range(5)]
    assert [fault is None for fault in faults] == [True, True, False, True, True]
    assert "the masks of sample 1 must be integers (H, W, L)" in str(faults[2])
    source.samples[1] = SAMPLES[1]
    with pytest.raises(DatasetError, match="photo1: could not be read when the regions were counted"):
        dataset[2].read_target()


def test_the_stamp_is_the_sources_and_tells_other_regions_apart(source: Listed) -> None:
    assert AllRegions("all", source, min_area=9).stamp() == "", "not known stays not known"
    source.stamp = lambda: "abc"  # type: ignore[method-assign]
    source.check_files = lambda: iter(["photo1 is gone"])  # type: ignore[method-assign]
    assert AllRegions("all", source).stamp() == "abc"
    stamps = {AllRegions("all", source, min_area=n).stamp() for n in (1, 2, 3)}
    assert len(stamps) == 3
    assert list(AllRegions("all", source).check_files()) == ["photo1 is gone"]
