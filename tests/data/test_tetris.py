"""TETRIS as RClicks reads it: every colour an object, pictures of at most 2048 pixels, ids that its clicks find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from iiszoo.data.datasets import tetris
from iiszoo.data.inspection import inspect
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset
from iiszoo.registry import registry

Save = Callable[..., Path]

MANY = "1cd6a0ef_F_19_White_Russia____img_5_eu.9c6cdd5a-309f"
"""A name such as those of `datasets/TETRIS_val.txt`: with dots and underscores."""
ONE = "DghzFDYivHs"
COLOURS = {(1, 0, 0): 1, (0, 1, 0): 256, (255, 255, 255): 0xFFFFFF}
"""Colours, RGB, and the numbers of their objects."""


@pytest.fixture
def coloured() -> NDArray[np.uint8]:
    """uint8 `(24, 32, 3)`: three objects on black."""
    picture = np.zeros((24, 32, 3), np.uint8)
    for k, colour in enumerate(COLOURS):
        picture[4:14, 2 + 10 * k : 9 + 10 * k] = colour
    return picture


@pytest.fixture
def tree(save: Save, tmp_path: Path, coloured: NDArray[np.uint8]) -> Path:
    """Two images in the published layout."""
    save(f"TETRIS/images/{MANY}.jpg")
    save(f"TETRIS/masks/{MANY}.png", coloured)
    save(f"TETRIS/images/{ONE}.jpg")
    save(f"TETRIS/masks/{ONE}.png", coloured * (coloured == 255))
    return tmp_path / "TETRIS"


def test_every_colour_is_an_object_and_a_lone_one_has_no_number(tree: Path, coloured: Any) -> None:
    dataset = load_dataset("tetris", root=tree)
    numbers = sorted(COLOURS.values())
    assert [sample.id for sample in dataset] == [*(f"{MANY}__{number}" for number in numbers), ONE]
    for sample, (colour, number) in zip(dataset, sorted(COLOURS.items(), key=lambda item: item[1]), strict=False):
        target = sample.read_target()
        assert np.array_equal(target.object, (coloured == colour).all(2)), number
        assert target.ignore is None
        assert sample.image_id == MANY
    assert [inspect(sample).fault for sample in dataset] == [None] * 4
    assert list(dataset.check_files()) == []
    assert registry().datasets.resolve("tetris").n_samples == 2531


def upstream(picture: Any, rows: int, columns: int) -> Any:
    """The numbers in a mask as `cv2.imread` gives it, scaled: RClicks' rule (`TETRISDataset`), written once more."""
    blue, green, red = (picture[:, :, k].astype(int) for k in range(3))
    numbers = 65536 * blue + 256 * green + red
    scaled = np.zeros((rows, columns), int)
    for number in sorted(set(numbers.flat) - {0}):
        scaled[cv2.resize((numbers == number).astype(np.uint8), (columns, rows)) == 1] = number
    return scaled


@pytest.mark.parametrize(
    ("size", "scaled"),
    [((2100, 3000), (1434, 2048)), ((3001, 16), (2048, 11)), ((40, 2049), (40, 2048)), ((2048, 2048), (2048, 2048))],
)
def test_large_pictures_are_scaled_by_upstreams_rule(
    size: tuple[int, int], scaled: tuple[int, int], save: Save, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 3, (7, 5)).astype(np.uint8)
    numbers = cv2.resize(blocks, size[::-1], interpolation=cv2.INTER_NEAREST)
    mask = np.array([(0, 0, 0), (9, 0, 2), (0, 7, 0)], np.uint8)[numbers]
    image = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    file = save("images/a.png", image)
    save("masks/a.png", mask)
    dataset = load_dataset("tetris", root=tmp_path)
    expected = upstream(cv2.imread(str(tmp_path / "masks/a.png")), *scaled)
    assert [sample.id for sample in dataset] == [f"a__{7 * 256}", f"a__{9 + 2 * 65536}"]
    for sample, number in zip(dataset, (7 * 256, 9 + 2 * 65536), strict=True):
        assert np.array_equal(sample.read_target().object, expected == number)
        assert inspect(sample).fault is None
    as_upstream = cv2.resize(cv2.imread(str(file)), scaled[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(dataset[0].read_image(), as_upstream[:, :, ::-1])


def test_a_mask_takes_the_size_of_its_image(save: Save, tmp_path: Path, coloured: Any) -> None:
    save("images/a.jpg")
    save("masks/a.png", coloured.repeat(2, 0).repeat(2, 1))
    dataset = load_dataset("tetris", root=tmp_path)
    assert dataset[0].read_target().object.shape == (24, 32)
    assert inspect(dataset[0]).fault is None


def test_lacking_and_broken_files_are_named(tree: Path, save: Save) -> None:
    save("TETRIS/images/lone.jpg")
    (tree / "masks" / f"{ONE}.png").write_bytes(b"no picture")
    dataset = load_dataset("tetris", root=tree)
    faults = {sample.id: inspect(sample).fault or "" for sample in dataset}
    assert "image lone.jpg has no mask" in faults["lone"]
    assert f"{ONE}.png" in faults[ONE]
    assert [id for id, fault in faults.items() if fault] == [ONE, "lone"]
    broken, lone = dataset.check_files()
    assert f"{ONE}.png" in broken
    assert "image lone.jpg has no mask" in lone


def test_an_absent_dataset_says_how_to_lay_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        load_dataset("tetris", root=tmp_path)
    said = str(raised.value)
    for part in ("lacks images and masks", "unpack TETRIS.zip", "emb-ai/rclicks", "iiszoo data add tetris DIR"):
        assert part in said


def test_a_side_never_becomes_nothing() -> None:
    assert tetris.limited(1, 10**5) == (1, 2048)
    assert tetris.limited(10**5, 1) == (2048, 1)
