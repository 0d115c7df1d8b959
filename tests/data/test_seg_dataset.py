"""`SegDataset`: what a subclass must give, and the sentence that it gets where it gives something else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import iiszoo.data
from iiszoo.data.seg_dataset import Region, Sample, SegDataset, areas_in, regions_in
from iiszoo.errors import DatasetError

IMAGE = np.zeros((4, 5, 3), np.uint8)
MASKS = np.zeros((4, 5, 2), np.int16)


class Photos(SegDataset):
    """`n` times the same sample."""

    def __init__(self, sample: Any, n: int = 1) -> None:
        self.sample = sample
        self.n = n

    def __len__(self) -> int:
        return self.n

    def get_sample(self, i: int) -> Any:
        return self.sample


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64])
def test_a_sample_of_the_right_form_is_passed_on(dtype: Any) -> None:
    masks, info = np.ones((4, 5, 2), dtype), {"classes": {(0, 1): "cat"}, "stuff": {(1, 1)}, "split": "train"}
    sample = Photos((IMAGE, masks, info))[0]
    assert isinstance(sample, Sample)
    assert (sample.image is IMAGE, sample.masks is masks, sample.info is info) == (True, True, True)


@pytest.mark.parametrize("missing", ["__len__", "get_sample"])
def test_a_subclass_without_a_method_cannot_be_made(missing: str) -> None:
    methods = {"__len__": lambda self: 1, "get_sample": lambda self, i: (IMAGE, MASKS, {})}
    del methods[missing]
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        type("Halfway", (SegDataset,), methods)()


WRONG = {
    "nothing": (None, r"must return \(image, masks, info\), not NoneType"),
    "a list": ([IMAGE, MASKS, {}], r"must return \(image, masks, info\), not list"),
    "a pair": ((IMAGE, MASKS), "not a tuple of 2"),
    "image: None": ((None, MASKS, {}), r"the image of sample 0 must be uint8 \(H, W, 3\), RGB, not NoneType"),
    "image: a list": (([[[0, 0, 0]]], MASKS, {}), "not list"),
    "image: float": ((IMAGE / 255, MASKS, {}), r"the image of sample 0 must be uint8 .*, not float64 \(4, 5, 3\)"),
    "image: 16 bit": ((IMAGE.astype(np.uint16), MASKS, {}), r"not uint16 \(4, 5, 3\)"),
    "image: tensor": ((torch.from_numpy(IMAGE), MASKS, {}), r"not torch.uint8 \(4, 5, 3\)"),
    "image: grey": ((IMAGE[:, :, 0], MASKS, {}), r"not uint8 \(4, 5\)"),
    "image: RGBA": ((np.zeros((4, 5, 4), np.uint8), MASKS, {}), r"not uint8 \(4, 5, 4\)"),
    "image: channels first": ((IMAGE.transpose(2, 0, 1), MASKS, {}), r"not uint8 \(3, 4, 5\)"),
    "image: no pixels": ((IMAGE[:0], MASKS[:0], {}), r"not uint8 \(0, 5, 3\)"),
    "masks: None": ((IMAGE, None, {}), r"masks of sample 0 must be integers \(H, W, L\), L >= 1, not NoneType"),
    "masks: no layer axis": ((IMAGE, MASKS[:, :, 0], {}), r"not int16 \(4, 5\); a single layer is masks\[:, :, None\]"),
    "masks: no layer": ((IMAGE, MASKS[:, :, :0], {}), r"L >= 1, not int16 \(4, 5, 0\)"),
    "masks: float": ((IMAGE, MASKS.astype(np.float32), {}), r"must be integers .*, not float32 \(4, 5, 2\)"),
    "masks: bool": ((IMAGE, MASKS > 0, {}), r"not bool \(4, 5, 2\); binary masks are masks.astype\(np.uint8\)"),
    "masks: tensor": ((IMAGE, torch.from_numpy(MASKS), {}), r"not torch.int16 \(4, 5, 2\)"),
    "masks: a list": ((IMAGE, [MASKS], {}), "must be integers .* not list"),
    "sizes that differ": ((IMAGE, MASKS[:3], {}), r"uint8 \(4, 5, 3\), its masks int16 \(3, 5, 2\): .* same height"),
    "sizes transposed": ((IMAGE, MASKS.transpose(1, 0, 2), {}), "the same height and width"),
    "info: None": ((IMAGE, MASKS, None), "the info of sample 0 must be a dict, not NoneType"),
    "classes: by value": ((IMAGE, MASKS, {"classes": {1: "cat"}}), r"\"classes\"\] of sample 0 .*not {1: 'cat'}"),
    "classes: a list": ((IMAGE, MASKS, {"classes": ["cat"]}), r"must be {\(layer, value\): class}, not \['cat'\]"),
    "stuff: values": ((IMAGE, MASKS, {"stuff": [1, 2]}), r"\"stuff\"\] .*\(layer, value\) pairs, not \[1, 2\]"),
    "stuff: a number": ((IMAGE, MASKS, {"stuff": 1}), r"\"stuff\"\] of sample 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_sample_of_another_form_is_refused_on_first_use(case: str) -> None:
    sample, message = WRONG[case]
    dataset = Photos(sample)
    with pytest.raises(DatasetError, match=message) as error:
        dataset[0]
    assert str(error.value).startswith("Photos: ")


def test_there_are_as_many_samples_as_it_says() -> None:
    dataset = Photos((IMAGE, MASKS, {}), n=3)
    assert len(list(dataset)) == 3
    for i in (3, -1):
        with pytest.raises(IndexError, match=f"Photos has 3 samples; there is no sample {i}"):
            dataset[i]


def test_an_error_while_reading_is_not_hidden() -> None:
    class Broken(Photos):
        def get_sample(self, i: int) -> Any:
            raise KeyError("a fault of the reader")

    with pytest.raises(KeyError, match="a fault of the reader"):
        Broken(None)[0]


def test_what_a_subclass_does_not_say_has_defaults() -> None:
    masks = np.zeros((4, 5, 2), np.int16)
    masks[0, 0] = (7, -1)
    masks[1, :2, 1] = 3
    dataset = Photos((IMAGE, masks, {}), n=2)
    assert (dataset.name, dataset.image_id(1), dataset.files_of(1)) == ("Photos", "1", ("1",))
    assert dataset.read_image(1) is IMAGE
    assert dataset.read_masks(1) is masks
    assert dataset.regions(1) == [Region(0, 7), Region(1, 3)]
    assert (list(dataset.check_files()), dataset.stamp()) == ([], "")


def test_the_regions_of_masks_that_a_subclass_reads_itself_are_checked_too() -> None:
    dataset = Photos((IMAGE, MASKS, {}))
    dataset.read_masks = lambda i: MASKS[:, :, 0]  # type: ignore[method-assign]
    with pytest.raises(DatasetError, match=r"Photos: the masks of sample 0 must be integers"):
        dataset.regions(0)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.int16, (5, 6, 2), elements=st.integers(-2, 4)), st.integers(0, 9))
def test_regions_and_areas_are_those_that_counting_finds(masks: Any, min_area: int) -> None:
    counted = {(layer, v): int((masks[:, :, layer] == v).sum()) for layer in range(2) for v in range(1, 5)}
    expected = {region: area for region, area in counted.items() if area}
    assert list(areas_in(masks).items()) == list(expected.items())
    assert regions_in(masks, min_area=min_area) == [region for region in expected if expected[region] >= min_area]


def test_the_package_imports_nothing_heavy_until_it_is_used() -> None:
    program = """
import sys, iiszoo.data, iiszoo.data.seg_dataset, iiszoo.data.all_regions
from iiszoo.data import AllRegions, SegDataset
assert not {"torch", "numpy", "cv2"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_the_package_has_every_name_that_it_promises() -> None:
    names = iiszoo.data.__all__
    assert set(names) == set(iiszoo.data._HOME) <= set(dir(iiszoo.data))
    assert [getattr(iiszoo.data, name).__name__ for name in names] == names
    with pytest.raises(AttributeError, match=r"module 'iiszoo.data' has no attribute 'SegDatasets'"):
        iiszoo.data.SegDatasets  # noqa: B018
