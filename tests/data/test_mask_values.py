"""Which values of anybody's mask are objects, which are ignored, and which masks are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.inspection import inspect
from iiszoo.data.mask_values import labels_in
from iiszoo.engine.grouping import by_image
from iiszoo.errors import BadOption, DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]

AREA, BORDER = np.zeros((24, 32), bool), np.zeros((24, 32), bool)
AREA[4:14, 5:20] = True
BORDER[4:14, 20:22] = True
SECOND = np.zeros((24, 32), bool)
SECOND[16:22, 3:25] = True


def painted(object: Any, border: Any = None, second: Any = None, background: Any = 0, dtype: Any = np.uint8) -> Any:
    """A mask `(24, 32)`, or of colours, `(24, 32, C)`, blue first."""
    values = np.empty((24, 32, *np.shape(object)), dtype)
    values[:] = background
    values[AREA] = object
    if border is not None:
        values[BORDER] = border
    if second is not None:
        values[SECOND] = second
    return values


ONE_OBJECT: dict[str, Any] = {
    "bool": AREA,
    "0, 1": painted(1),
    "0, 15": painted(15),
    "0, 127": painted(127),
    "0, 128": painted(128),
    "0, 254": painted(254),
    "0, 255": painted(255),
    "16 bit, 1": painted(1, dtype=np.uint16),
    "16 bit, 128": painted(128, dtype=np.uint16),
    "16 bit, 255": painted(255, dtype=np.uint16),
    "16 bit, 26001": painted(26001, dtype=np.uint16),
    "16 bit, 0x8080": painted(0x8080, dtype=np.uint16),
    "16 bit, 65535": painted(65535, dtype=np.uint16),
    "int16": painted(3, dtype=np.int16),
    "int32": painted(70000, dtype=np.int32),
    "uint32": painted(4_000_000_000, dtype=np.uint32),
    "uint64": painted(2**63, dtype=np.uint64),
    "float 1": painted(1, dtype=np.float32),
    "float 255": painted(255, dtype=np.float64),
    "float 7": painted(7, dtype=np.float16),
    "float probabilities": painted(0.5, border=0.49, second=0.1, dtype=np.float32),
    "colour, white": painted((255, 255, 255)),
    "colour, red": painted((0, 0, 255)),
    "colour, 128,0,0": painted((0, 0, 128)),
    "colour, 1": painted((0, 1, 0)),
    "colour, 3 channels": painted((3, 200, 17)),
    "colour, VOC's void colour alone": painted((192, 224, 224)),
    "colour, 16 bit": painted((3, 40000, 17), dtype=np.uint16),
    "RGBA, opaque": np.dstack([painted((255, 255, 255)), painted(255, background=255)]),
    "RGBA, cut out of white": np.dstack([painted((255, 255, 255), background=255), painted(255)]),
    "RGBA, cut out of black": np.dstack([painted((0, 0, 0)), painted(128)]),
    "RGBA, transparent background": np.dstack([painted((0, 255, 0)), painted(255)]),
    "grey and alpha": np.dstack([painted(255), painted(255, background=255)]),
    "float colours of one channel": painted((0, 0, 1), dtype=np.float32),
}


@pytest.mark.parametrize("kind", ONE_OBJECT)
def test_one_value_is_an_object(kind: str) -> None:
    labels = labels_in(ONE_OBJECT[kind])
    target = labels.all_objects()
    assert len(labels.objects) == 1
    assert target.object.dtype == bool
    assert np.array_equal(target.object, AREA)
    assert target.ignore is None


VOID: dict[str, Any] = {
    "1 and 255": painted(1, 255),
    "15 and 255": painted(15, 255),
    "127 and 255": painted(127, 255),
    "128 unknown, 255": painted(255, 128),
    "16 bit, 15 and 255": painted(15, 255, dtype=np.uint16),
    "16 bit, 15 and 65535": painted(15, 65535, dtype=np.uint16),
    "16 bit, 32767 and 65535": painted(32767, 65535, dtype=np.uint16),
    "16 bit, 128 unknown, 255": painted(255, 128, dtype=np.uint16),
    "16 bit, 0x8080 unknown": painted(0xFFFF, 0x8080, dtype=np.uint16),
    "16 bit, 0x8000 unknown": painted(0xFF00, 0x8000, dtype=np.uint16),
    "32 bit, 4294967295": painted(70000, 2**32 - 1, dtype=np.uint32),
    "int16, -1": painted(4, -1, dtype=np.int16),
    "int32, -1 and 300": painted(300, -1, dtype=np.int32),
    "float 15 and 255": painted(15, 255, dtype=np.float32),
    "float -1": painted(2, -1, dtype=np.float32),
    "grey in colour, 15 and 255": painted((15,) * 3, (255,) * 3),
    "grey in colour, 128 unknown": painted((255,) * 3, (128,) * 3),
    "one channel, 15 and 255": painted((0, 0, 15), (0, 0, 255)),
    "VOC in colour": painted((0, 0, 128), (192, 224, 224)),
}


@pytest.mark.parametrize("kind", VOID)
def test_void_is_ignored(kind: str) -> None:
    target = labels_in(VOID[kind]).all_objects()
    assert np.array_equal(target.object, AREA)
    assert target.ignore is not None
    assert np.array_equal(target.ignore, BORDER)


@given(st.integers(1, 127))
def test_255_beside_any_value_up_to_127_is_void_without_background_too(value: int) -> None:
    labels = labels_in(np.array([[value, value, 255]], np.uint8))
    assert labels.objects == (value,)
    assert labels.ignore is not None
    assert labels.ignore.tolist() == [[False, False, True]]


SEVERAL: dict[str, tuple[Any, str]] = {
    "1 and 2": (painted(1, second=2), "1, 2"),
    "20 and 149": (painted(20, second=149), "20, 149"),
    "1 and 128": (painted(1, second=128), "1, 128"),
    "128 and 254": (painted(128, second=254), "128, 254"),
    "200 and 255": (painted(200, second=255), "200, 255"),
    "254 and 255": (painted(254, second=255), "254, 255"),
    "60 and 227, no background": (painted(227, background=60), "60, 227"),
    "1, 2 and void": (painted(1, 255, 2), "1, 2"),
    "128 among others": (painted(255, 128, 64), "64, 128, 255"),
    "16 bit, 26001 and 33000": (painted(26001, second=33000, dtype=np.uint16), "26001, 33000"),
    "16 bit, 200 and 300": (painted(200, second=300, dtype=np.uint16), "200, 300"),
    "16 bit, 200 and 65300": (painted(200, second=65300, dtype=np.uint16), "200, 65300"),
    "16 bit, 1 and 40000 and 65535": (painted(1, 65535, 40000, dtype=np.uint16), "1, 40000, 65535"),
    "32 bit": (painted(70000, second=70001, dtype=np.uint32), "70000, 70001"),
    "int32 and -1": (painted(1, -1, 2, dtype=np.int32), "1, 2"),
    "float 1 and 2": (painted(1, second=2, dtype=np.float32), "1, 2"),
    "colours": (painted((0, 0, 128), second=(0, 128, 0)), "0-128-0, 128-0-0"),
    "bright colours": (painted((0, 0, 255), second=(0, 255, 0)), "0-255-0, 255-0-0"),
    "colours and void": (painted((0, 0, 128), (192, 224, 224), (0, 128, 0)), "0-128-0, 128-0-0"),
    "numbers in two channels": (painted((0, 1, 1), second=(0, 1, 2)), "1-1-0, 2-1-0"),
    "one channel, 1 and 2": (painted((0, 0, 1), second=(0, 0, 2)), "1, 2"),
    "16 bit colours": (painted((0, 256, 1), second=(0, 256, 2), dtype=np.uint16), "1-256-0, 2-256-0"),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_values_are_several_objects(kind: str) -> None:
    pixels, expected = SEVERAL[kind]
    labels = labels_in(pixels)
    assert ", ".join(map(labels.name, labels.objects)) == expected
    for value in labels.objects:
        assert (labels.values == value).any()


@settings(deadline=None)
@given(st.sets(st.integers(1, 255), min_size=2, max_size=40), st.sampled_from([np.uint8, np.uint16, np.int32]))
def test_no_label_of_a_map_is_lost(values: set[int], dtype: Any) -> None:
    """Regions of 4x4 pixels, of any values: each is an object, or void by the rule."""
    pixels = np.zeros((8, 8 * len(values)), dtype)
    for i, value in enumerate(sorted(values)):
        pixels[2:6, 8 * i + 2 : 8 * i + 6] = value
    labels = labels_in(pixels)
    void = set()
    if 255 in values and max(values - {255}) <= 127:
        void = {255}
    elif values == {128, 255}:
        void = {128}
    assert set(labels.objects) == values - void
    assert (labels.ignore is None) == (not void)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3).filter(any), min_size=2, max_size=30, unique=True))
def test_no_colour_of_a_map_is_lost(colours: list[tuple[int, int, int]]) -> None:
    pixels = np.zeros((8, 8 * len(colours), 3), np.uint8)
    for i, colour in enumerate(colours):
        pixels[2:6, 8 * i + 2 : 8 * i + 6] = colour
    labels = labels_in(pixels)
    assert len(labels.objects) + (labels.ignore is not None) == len(colours)


def disc(size: int = 200) -> Any:
    """Two white shapes on black, `(size, size)`."""
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, (size // 3, size // 3), size // 5, 255, -1)
    cv2.ellipse(mask, (2 * size // 3, 2 * size // 3), (size // 4, size // 12), 30, 0, 360, 255, -1)
    return mask


def encoded(mask: Any, suffix: str, *parameters: int) -> Any:
    return cv2.imdecode(cv2.imencode(suffix, mask, parameters)[1], cv2.IMREAD_UNCHANGED)


COLOURED = disc()[..., None] * np.array([0, 0.5, 1])
SOFT: dict[str, tuple[Any, bool]] = {
    **{f"JPEG, quality {q}": (encoded(disc(), ".jpg", 1, q), True) for q in (10, 30, 50, 75, 90, 95, 100)},
    **{f"JPEG saved as PNG, {q}": (encoded(disc(), ".jpg", 1, q), False) for q in (50, 75, 90)},
    "WebP": (encoded(disc(), ".webp", 64, 60)[:, :, 0], True),
    "halved": (cv2.resize(disc(400), (200, 200), interpolation=cv2.INTER_AREA), False),
    "shrunk": (cv2.resize(disc(500), (200, 200), interpolation=cv2.INTER_AREA), False),
    "enlarged": (cv2.resize(disc(50), (200, 200), interpolation=cv2.INTER_LINEAR), False),
    "blurred": (cv2.GaussianBlur(disc(), (0, 0), 1.5), False),
    "16 bit, shrunk": (cv2.resize(disc(500), (200, 200), interpolation=cv2.INTER_AREA).astype(np.uint16) * 257, False),
    "probabilities": (cv2.GaussianBlur(disc(), (0, 0), 1.5) / 255.0, False),
    "orange, JPEG": (encoded(COLOURED.astype(np.uint8), ".jpg", 1, 90), True),
    "orange, shrunk": (
        cv2.resize((disc(500)[..., None] * np.array([0, 0.5, 1])).astype(np.uint8), (200, 200), interpolation=3),
        False,
    ),
}


@pytest.mark.parametrize("kind", SOFT)
def test_soft_edges_are_no_labels(kind: str) -> None:
    pixels, lossy = SOFT[kind]
    assert len(np.unique(pixels)) > 2, "the mask that is read is soft"
    labels = labels_in(pixels, lossy=lossy)
    target = labels.all_objects()
    assert len(labels.objects) == 1
    assert target.ignore is None
    expected = disc() > 0
    assert (target.object & expected).sum() / (target.object | expected).sum() > 0.93


@pytest.mark.parametrize(
    "pixels",
    [
        encoded(np.kron(painted(255, second=128), np.ones((4, 4), np.uint8)), ".jpg", 1, 95),
        encoded(np.kron(painted(60, second=200), np.ones((4, 4), np.uint8)), ".jpg", 1, 90),
        encoded(np.kron(painted(1, second=2), np.ones((4, 4), np.uint8)), ".jpg", 1, 90),
        encoded(np.repeat(np.repeat(painted((0, 0, 255), second=(0, 255, 0)), 4, 0), 4, 1), ".jpg", 1, 90),
    ],
    ids=["trimap", "labels", "small labels", "colours"],
)
def test_labels_in_a_jpeg_are_refused(pixels: Any) -> None:
    with pytest.raises(ValueError, match="compression changes values; save masks as PNG"):
        labels_in(pixels, lossy=True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[0, 0.5, 1.5]], "fractions from 0 to 1.5"),
        ([[-0.5, 0, 1]], "fractions from -0.5 to 1"),
        ([[0, np.nan, 1]], "not numbers"),
        ([[0, np.inf, 1]], "not numbers"),
    ],
)
def test_floats_that_are_no_mask_are_refused(values: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        labels_in(np.array(values, np.float32))


def test_an_empty_mask_has_no_object() -> None:
    for shape in ((4, 5), (4, 5, 3), (4, 5, 4), (4, 5, 2), (0, 5), (0, 5, 3)):
        for dtype in (np.uint8, np.uint16, np.float32, bool):
            labels = labels_in(np.zeros(shape, dtype))
            assert labels.objects == ()
            assert labels.all_objects().object.shape == shape[:2]
            assert not labels.all_objects().object.any()


def indexed(indices: Any, *colours: tuple[int, int, int]) -> Image.Image:
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    picture.putpalette([channel for colour in colours for channel in colour])
    return picture


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "bmp"])
@pytest.mark.parametrize("colour", [(128, 0, 0), (64, 0, 128), (192, 128, 128), (0, 0, 0), (255, 255, 255)])
def test_a_palette_mask_counts_by_index(suffix: str, colour: tuple[int, int, int], save: Save, tmp_path: Path) -> None:
    """Whatever colour its palette gives an object, black too."""
    save("images/a.png")
    save(f"masks/a.{suffix}", indexed(AREA, (0, 0, 0), colour, (1, 2, 3)))
    target = load_dataset(f"folder:{tmp_path}")[0].read_target()
    assert np.array_equal(target.object, AREA)
    assert target.ignore is None


def test_a_palette_with_black_behind_white_counts_by_colour(save: Save, tmp_path: Path) -> None:
    """Programs that make files smaller sort colours by use."""
    save("images/a.png")
    save("masks/a.png", indexed(~AREA, (255, 255, 255), (0, 0, 0)))
    assert np.array_equal(load_dataset(f"folder:{tmp_path}")[0].read_target().object, AREA)


def test_vocs_palette_border_is_ignored(save: Save, tmp_path: Path) -> None:
    colours = [(i, 255 - i, 7) for i in range(256)]
    save("images/a.png")
    save("masks/a.png", indexed(painted(15, 255), (0, 0, 0), *colours[1:]))
    target = load_dataset(f"folder:{tmp_path}")[0].read_target()
    assert np.array_equal(target.object, AREA)
    assert target.ignore is not None
    assert np.array_equal(target.ignore, BORDER)


@pytest.fixture
def labelled(save: Save, tmp_path: Path) -> str:
    """A label map of 20 and 149, a mask of one object, and one of 1, 2 and void."""
    for stem in ("a", "b", "c"):
        save(f"own/images/{stem}.png")
    save("own/masks/a.png", painted(20, second=149))
    save("own/masks/b.png", painted(255))
    save("own/masks/c.png", painted(1, 255, 2))
    return f"folder:{tmp_path / 'own'}"


def test_several_objects_are_refused_with_values_and_ways_out(labelled: str, tmp_path: Path) -> None:
    dataset = load_dataset(labelled)
    faults = [inspect(dataset[i]).fault for i in range(3)]
    masks = tmp_path / "own" / "masks"
    ways = f"{labelled}?objects=values makes one target of each, {labelled}?objects=all one of all"
    unknown = "which may or may not be one object; "
    assert faults == [
        f"{masks / 'a.png'}: contains several object values (20, 149), {unknown}{ways}",
        None,
        f"{masks / 'c.png'}: contains several object values (1, 2), {unknown}{ways}",
    ]
    assert list(dataset.check_files()) == [fault for fault in faults if fault]


def test_all_objects_as_one(labelled: str) -> None:
    dataset = load_dataset(f"{labelled}?objects=all")
    assert dataset.name == f"{labelled}?objects=all"
    assert [sample.id for sample in dataset] == ["a", "b", "c"]
    assert [inspect(dataset[i]).fault for i in range(3)] == [None] * 3
    assert list(dataset.check_files()) == []
    assert np.array_equal(dataset[0].read_target().object, AREA | SECOND)
    assert np.array_equal(dataset[2].read_target().object, AREA | SECOND)
    assert np.array_equal(dataset[2].read_target().ignore, BORDER)  # type: ignore[arg-type]


def test_a_target_of_each_value(labelled: str) -> None:
    dataset = load_dataset(f"{labelled}?objects=values")
    assert [sample.id for sample in dataset] == ["a__20", "a__149", "b__255", "c__1", "c__2"]
    assert by_image(dataset) == [[0, 1], [2], [3, 4]]
    assert [inspect(dataset[i]).fault for i in range(5)] == [None] * 5
    for i, expected in enumerate([AREA, SECOND, AREA, AREA, SECOND]):
        assert np.array_equal(dataset[i].read_target().object, expected)
    assert np.array_equal(dataset[3].read_target().ignore, BORDER)  # type: ignore[arg-type]
    assert dataset.stamp() == load_dataset(labelled).stamp()


def test_a_mask_without_a_value_is_a_broken_sample(labelled: str, save: Save, tmp_path: Path) -> None:
    save("own/masks/a.png", painted(0))
    save("own/masks/c.png", painted(1)[:4])
    (tmp_path / "own/masks/b.png").write_bytes(b"torn")
    dataset = load_dataset(f"{labelled}?objects=values")
    assert [sample.id for sample in dataset] == ["a", "b", "c"]
    for i, fault in enumerate(["the target is empty", "b.png: cannot be decoded as an image", "the target is empty"]):
        assert fault in str(inspect(dataset[i]).fault)


def test_coloured_objects_have_their_colour_in_the_id(save: Save, tmp_path: Path) -> None:
    save("images/a.png")
    save("masks/a.png", painted((128, 0, 0), second=(0, 128, 0)))
    dataset = load_dataset(f"folder:{tmp_path}?objects=values")
    assert [sample.id for sample in dataset] == ["a__0-128-0", "a__128-0-0"]
    assert np.array_equal(dataset[1].read_target().object, AREA)


def test_an_option_that_is_none_is_refused(labelled: str) -> None:
    with pytest.raises(BadOption, match="objects must be all or values, not each"):
        load_dataset(f"{labelled}?objects=each")
    for wrong in ("object=all", "objects", "objects=all&objects=all", "", "objects=all&x=1"):
        with pytest.raises(
            BadOption, match=r"is not a valid option|has no option '.*'; it has objects, images, masks, initial"
        ):
            load_dataset(f"{labelled}?{wrong}")
    with pytest.raises(BadOption, match="dataset demo has no option 'objects'"):
        load_dataset("demo?objects=all")


def test_initial_masks_stand_beside_other_options(labelled: str, save: Save, tmp_path: Path) -> None:
    for id in ("a__20", "a__149", "b__255", "c__1", "c__2"):
        save(f"flawed & =x/{id}.png", np.roll(AREA, 1, 0))
    for query in ("objects=values&initial=perturb:seed=1", "initial=perturb:seed=1&objects=values"):
        dataset = load_dataset(f"{labelled}?{query}")
        assert dataset.name == f"{labelled}?initial=perturb:seed=1,iou=0.75-0.85&objects=values"
        assert len(dataset) == 5
    from iiszoo.data.initial_masks import with_initial

    name = with_initial(f"{labelled}?objects=values", f"masks:{tmp_path / 'flawed & =x'}")
    mask = load_dataset(name)[0].read_initial_mask()
    assert mask is not None
    assert np.array_equal(mask, np.roll(AREA, 1, 0))
    assert load_dataset(name).name == name
    save("flawed & =x/a__20.png", painted(1, second=2))
    with pytest.raises(DatasetError, match=r"a__20\.png: contains several object values \(1, 2\)"):
        load_dataset(name)[0].read_initial_mask()


@pytest.mark.parametrize("directory", ["what?", "a?objects=all", "100%25", "100%", "50%3F", "a&b=c", "x%E9y"])
def test_a_directory_of_any_name_can_be_written(directory: str, save: Save, tmp_path: Path) -> None:
    from iiszoo.file_names import escaped

    save(f"{directory}/images/a.png")
    save(f"{directory}/masks/a.png", AREA)
    name = f"folder:{escaped(str(tmp_path / directory), '?')}"
    dataset = load_dataset(name)
    assert (dataset.place, dataset.name) == (tmp_path / directory, name)
    assert load_dataset(f"{name}?objects=values")[0].id == "a__255"
