"""DAVIS as RITM reads it: all objects of a frame as one target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.datasets.davis import decode
from iiszoo.data.inspection import inspect
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


def instances(mask: Mask) -> NDArray[np.uint8]:
    """The object's left part is object 1, its right part object 2."""
    values = mask.astype(np.uint8)
    values[:, 10:][mask[:, 10:]] = 2
    return values


def with_palette(values: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(values, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return picture


KINDS: dict[str, Callable[[Mask], Any]] = {
    "indices with a palette": lambda m: with_palette(instances(m)),
    "grey indices": instances,
    "0 and 255": lambda m: m.astype(np.uint8) * 255,
    "one channel each object": lambda m: np.dstack([instances(m) == 1, instances(m) == 2, 0 * m]).astype(np.uint8),
    "opaque alpha": lambda m: np.dstack([m * 255, m * 0, m * 0, m * 0 + 255]).astype(np.uint8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_part_of_the_target(kind: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("img/bear_00001.jpg")
    save("gt/bear_00001.png", KINDS[kind](object_mask))
    dataset = load_dataset("davis", root=tmp_path)
    assert [sample.id for sample in dataset] == ["bear_00001"]
    target = dataset[0].read_target()
    assert np.array_equal(target.object, object_mask)
    assert target.ignore is None
    assert dataset[0].read_initial_mask() is None
    assert inspect(dataset[0]).fault is None


def test_a_value_of_1_in_any_channel_is_object() -> None:
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0, [1, 2, 3], [0, 1, 2]] = 1
    assert decode(pixels).object.tolist() == [[False, True, True, True]]


def test_a_broken_mask_is_reported_by_name(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("a", "b"):
        save(f"img/{stem}.jpg")
        save(f"gt/{stem}.png", object_mask)
    broken = tmp_path / "gt" / "b.png"
    broken.write_bytes(b"not a picture")
    dataset = load_dataset("davis", root=tmp_path)
    assert [str(broken) in (inspect(dataset[i]).fault or "") for i in range(2)] == [False, True]
    assert [str(broken) in fault for fault in dataset.check_files()] == [True]


def test_the_layout_is_told_where_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset davis .* img/NAME\.\*, gt/NAME\.\*"):
        load_dataset("davis", root=tmp_path)
    assert registry().datasets.resolve("davis").n_samples == 345
