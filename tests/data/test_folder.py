"""`folder:DIR`: anybody's images and masks, paired by name, whatever kind of file holds them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.inspection import UNSEEN, inspect
from iiszoo.engine.grouping import by_image
from iiszoo.errors import DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("img", "gt"),
        ("data_GT", "boundary_GT"),
        ("Images", "MASKS"),
        ("images", "labels"),
        ("imgs", "mask"),
        ("Photos", "Ground Truth"),
        ("JPEGImages", "SegmentationClass"),
        (".", "masks"),
    ],
)
def test_each_layout_is_read(images: str, masks: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "c.bmp"):
        save(f"{images}/{name}")
    for name in ("a.png", "b.bmp", "c.png"):
        save(f"{masks}/{name}", object_mask)
    save(f"{images}/.hidden.png")
    (tmp_path / images / "notes.txt").write_text("no image")
    (tmp_path / masks / "Thumbs.db").write_text("no mask")
    dataset = load_dataset(f"folder:{tmp_path}")
    assert (dataset.name, dataset.place) == (f"folder:{tmp_path}", tmp_path)
    assert [sample.id for sample in dataset] == ["a", "b", "c"]
    assert by_image(dataset) == [[0], [1], [2]]
    assert list(dataset.check_files()) == []
    for i in range(3):
        assert inspect(dataset[i]).fault is None
        assert np.array_equal(dataset[i].read_target().object, object_mask)
        assert dataset[i].read_image().shape == (24, 32, 3)


def test_several_objects_of_an_image_share_it(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("street", "my__dog", "zoo"):
        save(f"images/{stem}.png")
    for stem in ("street__car", "street__2", "my__dog", "zoo", "zoo__cage", "my__dog__tail"):
        save(f"masks/{stem}.png", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    ids = [sample.id for sample in dataset]
    assert ids == sorted(["street__car", "street__2", "my__dog", "zoo", "zoo__cage", "my__dog__tail"])
    groups = [{ids[i] for i in group} for group in by_image(dataset)]
    assert groups == [{"my__dog", "my__dog__tail"}, {"street__2", "street__car"}, {"zoo", "zoo__cage"}]
    assert {Path(dataset[i].image_id).name for i in range(len(dataset))} == {"street.png", "my__dog.png", "zoo.png"}


def test_every_file_that_does_not_pair_is_a_broken_sample(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for name in ("good.png", "lonely.png", "twice.png", "twice.jpg", "alone.png"):
        save(f"images/{name}")
    for name in ("good.png", "twice.png", "stray.png", "good__.png", "stray__1.png", "good__a.png", "good__a.bmp"):
        save(f"masks/{name}", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    ids = [sample.id for sample in dataset]
    assert ids == ["alone", "good", "good__", "good__a", "lonely", "stray", "stray__1", "twice"]
    images, masks = tmp_path / "images", tmp_path / "masks"
    expected = {
        "alone": f"{images}: image alone.png has no mask",
        "good__a": f"{masks}: good__a.bmp and good__a.png share one stem; keep one",
        "lonely": f"{images}: image lonely.png has no mask",
        "stray": f"{masks}: mask stray.png has no image",
        "stray__1": f"{masks}: mask stray__1.png has no image",
        "twice": f"{images}: twice.jpg and twice.png share one stem; keep one",
    }
    found = {id: fault for i, id in enumerate(ids) if (fault := inspect(dataset[i]).fault)}
    assert found == expected
    assert list(dataset.check_files()) == list(expected.values())
    assert len(dataset.stamp()) == 64


def test_a_fault_of_an_image_is_told_once_for_all_its_objects(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "b.jpg"):
        save(f"images/{name}")
    for name in ("a.png", "b__1.png", "b__2.png"):
        save(f"masks/{name}", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    assert [inspect(dataset[i]).fault is None for i in range(3)] == [True, False, False]
    assert len(list(dataset.check_files())) == 1


def test_the_digest_of_a_mask_outlives_its_image(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("a", "b"):
        save(f"images/{stem}.png")
        save(f"masks/{stem}.png", object_mask)
    before, stamp = inspect(load_dataset(f"folder:{tmp_path}")[0]), load_dataset(f"folder:{tmp_path}").stamp()
    (tmp_path / "images" / "a.png").unlink()
    after = load_dataset(f"folder:{tmp_path}")
    assert before.target == inspect(after[0]).target
    assert (before.fault, inspect(after[0]).fault) == (None, f"{tmp_path / 'masks'}: mask a.png has no image")
    assert inspect(after[0], UNSEEN).fault is None
    assert stamp != after.stamp()


def test_files_of_which_nothing_pairs_are_one_error(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("a", "b"):
        save(f"images/{stem}.png")
        save(f"masks/{stem}-truth.png", object_mask)
    with pytest.raises(DatasetError, match=r"do not pair; a mask has the name of its image, or STEM__OBJECT") as error:
        load_dataset(f"folder:{tmp_path}")
    for fault in ("image a.png has no mask", "image b.png has no mask", "mask a-truth.png has no image"):
        assert fault in str(error.value)


def test_a_relative_directory_counts_from_root_or_from_here(
    tmp_path: Path, save: Save, object_mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("mine/images/a.png")
    save("mine/masks/a.png", object_mask)
    assert len(load_dataset("folder:mine", root=tmp_path)) == 1
    monkeypatch.chdir(tmp_path)
    assert len(load_dataset("folder:mine")) == 1
    monkeypatch.chdir(tmp_path / "mine")
    assert len(load_dataset("folder:.")) == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_dataset("folder:~/mine")) == 1


def with_alpha(rgb: NDArray[np.uint8], alpha: Any) -> NDArray[np.uint8]:
    return np.dstack([rgb, np.broadcast_to(np.asarray(alpha, np.uint8), rgb.shape[:2])])


RAMP = np.linspace(0, 255, 24 * 32).astype(np.uint8).reshape(24, 32)
COLOURS = np.dstack([RAMP, RAMP[::-1], np.full_like(RAMP, 7)])
GREY_RGB = np.repeat(RAMP[..., None], 3, axis=2)


def palette_picture() -> Image.Image:
    picture = Image.fromarray((RAMP > 100).astype(np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    return picture


IMAGES: dict[str, tuple[Callable[[], Any], NDArray[np.uint8]]] = {
    "RGB": (lambda: COLOURS, COLOURS),
    "grey": (lambda: RAMP, GREY_RGB),
    "1 bit": (lambda: RAMP > 100, np.where(GREY_RGB > 100, 255, 0).astype(np.uint8)),
    "RGBA": (lambda: with_alpha(COLOURS, RAMP), COLOURS),
    "grey and alpha": (lambda: Image.fromarray(np.dstack([RAMP, 255 - RAMP]), "LA"), GREY_RGB),
    "16 bit grey": (lambda: RAMP.astype(np.uint16) * 256 + 99, GREY_RGB),
    "palette": (palette_picture, np.where(GREY_RGB > 100, (200, 100, 50), (10, 20, 30)).astype(np.uint8)),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_of_any_kind_becomes_8_bit_rgb(kind: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    make, expected = IMAGES[kind]
    save("images/a.png", make())
    save("masks/a.png", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    image = dataset[0].read_image()
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)
    assert inspect(dataset[0]).fault is None


def test_a_16_bit_colour_image_keeps_its_upper_bytes(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    save("masks/a.png", object_mask)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), COLOURS[:, :, ::-1].astype(np.uint16) * 256 + 200)
    assert np.array_equal(load_dataset(f"folder:{tmp_path}")[0].read_image(), COLOURS)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photograph_is_turned_as_its_exif_says(
    orientation: int, save: Save, object_mask: Mask, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    quarter_turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    photograph = np.zeros((24, 32, 3), np.uint8)
    photograph[:8, :8] = 255  # upper left as stored
    seen = np.rot90(object_mask, quarter_turns)
    save("images/a.jpg", photograph, exif=exif, quality=95)
    save("masks/a.png", seen)
    dataset = load_dataset(f"folder:{tmp_path}")
    assert list(dataset.check_files()) == []
    assert inspect(dataset[0]).fault is None
    expected = np.rot90(photograph, quarter_turns)
    assert np.abs(dataset[0].read_image().astype(int) - expected).mean() < 2


def png(pixels: NDArray[Any], format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
BAD_FILES = {
    "empty": b"",
    "cut off PNG": png(NOISE)[:-600],
    "cut off JPEG": png(NOISE, "JPEG")[:-300],
    "text": b"this is no image\n",
    "HTML of an error page": b"<!doctype html><title>404</title>",
}


@pytest.mark.parametrize("content", BAD_FILES)
def test_a_file_that_cannot_be_read_is_named(content: str, save: Save, object_mask: Mask, tmp_path: Path) -> None:
    for stem in ("a", "b", "c"):
        save(f"images/{stem}.png")
        save(f"masks/{stem}.png", object_mask)
    bad_image, bad_mask = tmp_path / "images" / "a.png", tmp_path / "masks" / "b.png"
    for path in (bad_image, bad_mask):
        path.write_bytes(BAD_FILES[content])
    dataset = load_dataset(f"folder:{tmp_path}")
    with pytest.raises(DatasetError, match=f"^{bad_image}: cannot be decoded as an image"):
        dataset[0].read_image()
    with pytest.raises(DatasetError, match=f"^{bad_mask}: cannot be decoded as an image"):
        dataset[1].read_target()
    faults = [inspect(dataset[i]).fault for i in range(3)]
    assert faults[0] is not None
    assert str(bad_image) in faults[0]
    assert faults[1] is not None
    assert str(bad_mask) in faults[1]
    assert faults[2] is None
    if "cut off" not in content:  # a header says nothing of the end of the file
        assert [fault.split(":")[0] for fault in dataset.check_files()] == [str(bad_image), str(bad_mask)]


def test_a_file_that_is_gone_is_named(save: Save, object_mask: Mask, tmp_path: Path) -> None:
    image, mask = save("images/a.png"), save("masks/a.png", object_mask)
    dataset = load_dataset(f"folder:{tmp_path}")
    os.remove(image)
    os.remove(mask)
    with pytest.raises(DatasetError, match=rf"^{image}: cannot be read \(No such file or directory\)"):
        dataset[0].read_image()
    with pytest.raises(DatasetError, match=f"^{mask}: cannot be read"):
        dataset[0].read_target()
    assert len(list(dataset.check_files())) == 2
