"""Images by number: which files they are, what their results are called, and their pixels as a bench reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from iiszoo.annotate.images import TILE, Picture, Pictures, folder
from iiszoo.annotate.initial import InitialMasks
from iiszoo.annotate.masks import packed
from iiszoo.data.base import pair_by_stem
from iiszoo.errors import DatasetError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def images(tmp_path):
    """`images(*names)`: the images of a directory with these files."""

    def images(*names, size=(20, 30)):
        directory = tmp_path / "pictures"
        directory.mkdir(exist_ok=True)
        for name in names:
            content = cv2.imencode(".png", np.zeros((*size, 3), np.uint8))[1]
            (directory / name).write_bytes(content.tobytes())
        return folder(directory, tmp_path / "names.json").images

    return images


def test_results_are_called_after_their_images(images):
    assert [(image.name, image.stem, image.id) for image in images("b.png", "a.png")] == [
        ("a.png", "a", 1),
        ("b.png", "b", 2),
    ]


def test_names_and_numbers_stay_when_images_are_added(images):
    images("b.png", "c.png")
    later = images("a.png")
    assert [(image.stem, image.id) for image in later] == [("a", 3), ("b", 1), ("c", 2)]


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "a.jpg"),
        ("a.png", "A.png"),
        ("a.png", "a__1.png"),
        ("a.png", "a__1.png", "a_1.png", "a-png.png", "a.bmp"),
        ("x.y.png", "x.png", "x.z.png"),
        ("é.png", "e\u0301.jpg"),
        ("a\n.png", "a\x1b[1m.png", "a_.png"),
        ("w" * 240 + ".png", "w" * 239 + "x.png"),
        (os.fsdecode(b"\xe9.png"), "\u00e9.png"),
        ("%E9.png", "100%.png", "a b'c\"d.png", "<i>.png"),
    ],
    ids=ascii,
)
def test_whatever_names_images_have_their_masks_pair(images, tmp_path, names):
    """One stem for each, and a bench finds the image of each mask."""
    try:
        found = images(*names)
    except OSError:
        pytest.skip("this file system has no such names")
    assert len({image.stem.casefold() for image in found}) == len(names)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for image in found:
        (tmp_path / "images" / image.link).write_bytes(b"")
        for k in (1, 12):
            (tmp_path / "masks" / f"{image.stem}__{k}.png").write_bytes(b"")
    pairs = pair_by_stem(tmp_path / "images", tmp_path / "masks", objects=True)
    assert len(pairs) == 2 * len(names)
    for pair in pairs:
        assert not pair.image_fault + pair.mask_fault
        assert pair.mask.stem.rpartition("__")[0] == pair.image.stem


def test_an_image_is_turned_as_a_bench_turns_it(tmp_path):
    picture = Image.new("RGB", (30, 20), "red")
    exif = picture.getexif()
    exif[274] = 6
    (tmp_path / "p").mkdir()
    picture.save(tmp_path / "p" / "a.jpg", exif=exif)
    found = folder(tmp_path / "p", tmp_path / "names.json").images
    assert found[0].size == (30, 20)
    assert Pictures(found).get(0).pixels.shape == (30, 20, 3)


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 40), (1025, 1500), (3, 4000)])
def test_tiles_of_each_level_cover_the_image(size):
    picture = Picture(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8))
    last = max(0, int(np.ceil(np.log2(max(size) / TILE))))  # as tiles.js has it
    for level in range(last + 1):
        rows, cols = (-(-side // 2**level) for side in size)
        found = {}
        for row in range(-(-rows // TILE)):
            for col in range(-(-cols // TILE)):
                tile = cv2.imdecode(np.frombuffer(picture.tile(level, row, col), np.uint8), cv2.IMREAD_COLOR)
                found[row, col] = tile.shape[:2]
        assert sum(height * width for height, width in found.values()) == rows * cols
    assert picture.tile(last + 1, 0, 0) is None
    assert picture.tile(0, 99, 0) is None


def test_pictures_stay_within_their_memory(images):
    found = images("a.png", "b.png", "c.png", size=(100, 100))
    pictures = Pictures(found, limit=2 * 40_000)
    first = pictures.get(0)
    pictures.get(1)
    assert pictures.get(0) is first
    pictures.get(2)
    assert pictures.get(0) is first
    assert len(pictures._kept) == 2


def mask(seed, size=(20, 30)):
    return np.random.default_rng(seed).random(size) > 0.6


def test_initial_masks_by_stem_with_several_objects(images, tmp_path):
    found = images("a.png", "b.png", "c.png")
    directory = tmp_path / "masks"
    directory.mkdir()
    first, second = mask(1), mask(2)
    cv2.imwrite(str(directory / "a__1.png"), first.view(np.uint8) * 255)
    cv2.imwrite(str(directory / "a__2.png"), second.view(np.uint8) * 255)
    np.save(directory / "b.npy", np.where(first, 0.9, 0.2).astype(np.float32))
    cv2.imwrite(str(directory / "c.png"), first.astype(np.uint8) * 7 + (second & ~first) * 9)
    masks = InitialMasks(f"masks:{directory}", found)
    wanted = [[first, second], [first], [first, second & ~first]]
    for number, expected in enumerate(wanted):
        assert [(label, m.bits.tobytes()) for label, m in masks.masks(number)] == [
            ("", packed(m).bits.tobytes()) for m in expected
        ]


def test_initial_masks_of_a_coco_file_bring_their_labels(images, tmp_path, workplace):
    """The page's own output is read back."""
    work = workplace(2, (20, 30), labels=["dog", "cat"])
    hash = work.saved.save(packed(mask(3)))
    work.do(0, "click", row=1, col=1, positive=True, label="cat", model="m")
    work.do(0, "accept", mask=hash)
    work.publish(0, {})
    masks = InitialMasks(f"coco:{work.out / 'annotations.json'}", work.images)
    ((label, found),) = masks.masks(0)
    assert label == "cat"
    np.testing.assert_array_equal(found.mask(), mask(3))
    assert masks.masks(1) == []


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [("a", (9, 9), "differ in size"), ("z", (20, 30), "none belongs to an image; a mask of a.png is called a.png")],
)
def test_initial_masks_that_do_not_fit_are_named(images, tmp_path, name, size, sentence):
    found = images("a.png")
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), np.full(size, 255, np.uint8))
    with pytest.raises(DatasetError, match=sentence):
        InitialMasks(f"masks:{tmp_path / 'masks'}", found).masks(0)


@pytest.mark.slow
def test_the_wheel_has_the_page(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    static = {f"iiszoo/annotate/static/{path.name}" for path in (ROOT / "iiszoo" / "annotate" / "static").iterdir()}
    assert static <= names
    assert {Path(name).suffix for name in static} == {".html", ".js", ".css", ".svg"}


def test_the_page_needs_nothing_from_elsewhere():
    """No address in it leads out, and every file that it names is there."""
    static = ROOT / "iiszoo" / "annotate" / "static"
    for path in static.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text.replace("`http://", "")
        assert "https://" not in text
        assert "innerHTML" not in text
        for line in text.splitlines():
            if line.startswith("import ") and path.suffix == ".js":
                assert (static / json.loads(line.rpartition("from ")[2].rstrip(";"))).is_file()
