"""COCO_MVal as ClickSEG reads it: the first channel above 128."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.inspection import inspect
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


def with_palette(mask: Mask) -> Image.Image:
    picture = Image.fromarray(mask.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 255, 255])
    return picture


KINDS: dict[str, Callable[[Mask], Any]] = {
    "0 and 255": lambda m: m.astype(np.uint8) * 255,
    "128 is background, 129 object": lambda m: np.where(m, 129, 128).astype(np.uint8),
    "bool": lambda m: m,
    "white by its palette": with_palette,
    "blue alone": lambda m: np.dstack([~m, ~m, m]).astype(np.uint8) * 255,
}


@pytest.mark.parametrize("kind", KINDS)
def test_object_is_where_the_first_channel_is_above_128(
    kind: str, save: Save, object_mask: Mask, tmp_path: Path
) -> None:
    save("img/000000000139.jpg")
    path = save("gt/000000000139.png", KINDS[kind](object_mask))
    dataset = load_dataset("coco_mval", root=tmp_path)
    assert [sample.id for sample in dataset] == ["000000000139"]
    target = dataset[0].read_target()
    assert np.array_equal(target.object, object_mask)
    assert np.array_equal(target.object, cv2.imread(str(path))[:, :, 0] > 128), "upstream's rule, as it stands there"
    assert target.ignore is None
    assert inspect(dataset[0]).fault is None


def test_a_broken_mask_is_reported_by_name(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("img/1.jpg")
    broken = save("gt/1.png", object_mask)
    broken.write_bytes(b"not a picture")
    dataset = load_dataset("coco_mval", root=tmp_path)
    assert str(broken) in (inspect(dataset[0]).fault or "")
    assert [str(broken) in fault for fault in dataset.check_files()] == [True]
    assert registry().datasets.resolve("coco_mval").n_samples == 800


def test_a_mask_that_is_missing_or_there_twice_is_reported_by_name(
    save: Save, object_mask: Mask, tmp_path: Path
) -> None:
    for stem in ("1", "2", "3"):
        save(f"img/{stem}.jpg")
    for name in ("1.png", "2.png", "2.bmp"):
        save(f"gt/{name}", object_mask)
    dataset = load_dataset("coco_mval", root=tmp_path)
    faults = [inspect(sample).fault for sample in dataset]
    assert faults[0] is None
    assert "2.bmp and 2.png share one stem" in (faults[1] or "")
    assert "image 3.jpg has no mask" in (faults[2] or "")
