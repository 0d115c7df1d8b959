"""`labelme:DIR`: shapes of every kind and version, and the images of their files wherever they are."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from iiszoo.data.datasets.labelme import LabelmeImages
from iiszoo.data.inspection import inspect
from iiszoo.engine.runs.dataset_check import survey
from iiszoo.errors import BadOption, DatasetError
from iiszoo.loading import load_dataset

Save = Callable[..., Path]
Mask = NDArray[np.bool_]
Write = Callable[..., Path]
SIZE = (24, 32)


def box(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def corners(top: int, left: int, bottom: int, right: int) -> list[list[float]]:
    """The outline of a box along the pixels' outer edges, [x, y] each."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def shape(points: Any, label: Any = "cat", kind: str | None = "polygon", **more: Any) -> dict[str, Any]:
    entry = {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}
    return {key: value for key, value in entry.items() if key != "shape_type" or value is not None}


def in_base64(pixels: NDArray[Any], format: str = "PNG") -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("DIR/a.json", *shapes, imagePath="a.jpg", ...)`: a file of labelme 5."""

    def write_(name: str, *shapes: Any, **fields: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = {"version": "5.0.1", "flags": {}, "shapes": list(shapes), "imagePath": f"{path.stem}.jpg"}
        entries |= {"imageData": None, "imageHeight": 24, "imageWidth": 32} | fields
        path.write_text(json.dumps({key: value for key, value in entries.items() if value != "left out"}))
        return path

    return write_


def targets(dataset: str) -> dict[str, Mask]:
    loaded = load_dataset(dataset)
    found = {}
    for sample in loaded:
        assert inspect(sample).fault is None
        found[sample.id] = sample.read_target().object
    assert list(loaded.check_files()) == []
    return found


def test_each_shape_is_a_sample_and_a_group_is_one(save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    save("b.jpg")
    write(
        "a.json",
        shape(corners(2, 2, 8, 8), group_id=0),
        shape(corners(4, 4, 20, 12)),
        shape(corners(2, 20, 8, 30), group_id=0),
        shape(corners(10, 20, 20, 30), "dog", group_id=0),
        shape([[1, 1]], "nose", "point"),
        shape(corners(1, 1, 3, 3)),
    )
    write("b.json")
    found = targets(f"labelme:{tmp_path}")
    assert list(found) == ["a__1", "a__2", "a__4", "a__6"], "the Nth shape is __N"
    assert np.array_equal(found["a__1"], box(2, 2, 8, 8) | box(2, 20, 8, 30))
    assert np.array_equal(found["a__2"], box(4, 4, 20, 12)), "an object keeps all its pixels"
    assert np.array_equal(found["a__4"], box(10, 20, 20, 30)), "groups are of one label"
    dataset = load_dataset(f"labelme:{tmp_path}")
    assert dataset.name == f"labelme:{tmp_path}"
    assert dataset.place == tmp_path
    assert {sample.image_id for sample in dataset} == {"a"}
    assert {sample.image_file for sample in dataset} == {tmp_path / "a.jpg"}


def test_options_join_objects_and_choose_a_label(save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    write("a.json", shape(corners(2, 2, 8, 8)), shape(corners(9, 9, 12, 20), "dog"), shape(corners(4, 4, 20, 12), "7"))
    assert list(targets(f"labelme:{tmp_path}?label=dog")) == ["a__2"]
    assert list(targets(f"labelme:{tmp_path}?label=7")) == ["a__3"]
    (joined,) = targets(f"labelme:{tmp_path}?objects=all").items()
    assert joined[0] == "a"
    assert np.array_equal(joined[1], box(2, 2, 8, 8) | box(9, 9, 12, 20) | box(4, 4, 20, 12))
    assert np.array_equal(targets(f"labelme:{tmp_path}?objects=all&label=dog")["a"], box(9, 9, 12, 20))
    with pytest.raises(DatasetError, match=r"no object with the label 'cow'; the labels are 7, cat, dog"):
        len(load_dataset(f"labelme:{tmp_path}?label=cow"))
    with pytest.raises(BadOption, match="objects must be all, or left out, not values"):
        load_dataset(f"labelme:{tmp_path}?objects=values")


def circle(x: float, y: float, radius: float) -> Mask:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


BOX = [[10, 5], [13, 8]]
PICTURE = np.array([[0, 9, 255, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 0, 0, 1]], np.uint8)
PAINTED = np.zeros(SIZE, bool)
PAINTED[5:9, 10:14] = PICTURE > 0
KINDS: dict[str, tuple[dict[str, Any], Mask]] = {
    "polygon": (shape(corners(3, 4, 9, 12)), box(3, 4, 9, 12)),
    "version 3, which has no kinds": (shape(corners(3, 4, 9, 12), kind=None), box(3, 4, 9, 12)),
    "rectangle": (shape([[4, 3], [12, 9]], kind="rectangle"), box(3, 4, 9, 12)),
    "rectangle drawn upwards": (shape([[12, 9], [4, 3]], kind="rectangle"), box(3, 4, 9, 12)),
    "rectangle of four points": (shape(corners(3, 4, 9, 12), kind="rectangle"), box(3, 4, 9, 12)),
    "oriented rectangle": (shape(corners(3, 4, 9, 12), kind="oriented_rectangle"), box(3, 4, 9, 12)),
    "X-AnyLabeling's": (shape(corners(3, 4, 9, 12), kind="rotation", difficult=False), box(3, 4, 9, 12)),
    "circle": (shape([[15.5, 11.5], [15.5, 4.25]], kind="circle"), circle(15.5, 11.5, 7.25)),
    "circle across the border": (shape([[1, 2], [11, 2]], kind="circle"), circle(1, 2, 10)),
    "mask": (shape(BOX, kind="mask", mask=in_base64(PICTURE)), PAINTED),
    "mask of one bit": (shape(BOX, kind="mask", mask=in_base64(PICTURE > 0)), PAINTED),
    "outside the image in part": (shape(corners(-5, -9, 9, 12)), box(0, 0, 9, 12)),
    "numbers as text": (shape([[str(v) for v in point] for point in corners(3, 4, 9, 12)]), box(3, 4, 9, 12)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_area_is_drawn(kind: str, save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    entry, expected = KINDS[kind]
    write("a.json", entry)
    (found,) = targets(f"labelme:{tmp_path}").values()
    wrong = int((found != expected).sum())
    assert wrong <= (6 if "circle" in kind else 0), f"{wrong} pixels"


@settings(max_examples=60, deadline=None)
@given(
    at=st.tuples(st.integers(-6, 36), st.integers(-6, 30)),
    pixels=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5),
)
def test_a_painted_mask_covers_its_pixels_wherever_its_box_is(
    at: tuple[int, int], pixels: list[list[bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("own")
    x, y = at
    mask = np.array(pixels)
    entry = shape([[x, y], [x + 2, y + len(mask) - 1]], kind="mask", mask=in_base64(mask))
    content = {"shapes": [entry], "imagePath": "a.jpg", "imageHeight": 24, "imageWidth": 32}
    (place / "a.json").write_text(json.dumps(content))
    expected = np.zeros((24 + 80, 32 + 80), bool)
    expected[40 + y : 40 + y + len(mask), 40 + x : 40 + x + 3] = mask
    assert np.array_equal(load_dataset(f"labelme:{place}")[0].read_target().object, expected[40:64, 40:72])


points = st.tuples(st.floats(-20, 50, width=32), st.floats(-20, 40, width=32)).map(list)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polygons=st.lists(st.lists(points, min_size=3, max_size=9), min_size=1, max_size=4))
def test_polygons_give_the_same_targets_as_in_coco(polygons: list[Any], save: Save, tmp_path: Path) -> None:
    save("a.jpg")
    shapes = [shape(polygon) for polygon in polygons]
    (tmp_path / "a.json").write_text(
        json.dumps({"shapes": shapes, "imagePath": "a.jpg", "imageHeight": 24, "imageWidth": 32})
    )
    annotations = [
        {"id": k, "image_id": 1, "segmentation": [[value for point in polygon for value in point]]}
        for k, polygon in enumerate(polygons)
    ]
    images = [{"id": 1, "file_name": "a.jpg", "height": 24, "width": 32}]
    (tmp_path / "coco").mkdir(exist_ok=True)
    (tmp_path / "coco" / "all.txt").write_text(json.dumps({"images": images, "annotations": annotations}))
    labelme, coco = load_dataset(f"labelme:{tmp_path}"), load_dataset(f"coco:{tmp_path}/coco/all.txt", root=tmp_path)
    assert [sample.id for sample in labelme] == [sample.id for sample in coco]
    assert survey(labelme, None, lambda *_: None).fingerprint == survey(coco, None, lambda *_: None).fingerprint


def test_ignored_areas_and_the_background_that_cuts(save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    write(
        "a.json",
        shape(corners(2, 2, 12, 12)),
        shape(corners(4, 4, 8, 8), "_background_"),
        shape(corners(6, 6, 20, 20), "dog"),
        shape(corners(0, 0, 24, 10), "__ignore__"),
    )
    first, second = load_dataset(f"labelme:{tmp_path}")
    cat = box(2, 2, 12, 12) & ~box(4, 4, 8, 8)
    for sample, expected in ((first, cat), (second, box(6, 6, 20, 20))):
        target = sample.read_target()
        assert np.array_equal(target.object, expected), "what is drawn later is not cut"
        assert target.ignore is not None
        assert np.array_equal(target.ignore, box(0, 0, 24, 10) & ~expected)
        assert inspect(sample).fault is None


def test_full_masks_with_labels_for_training(save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    areas = [
        shape(corners(2, 2, 12, 12)),
        shape(corners(6, 6, 20, 20), "dog"),
        shape(corners(0, 0, 2, 2), "__ignore__"),
    ]
    write("a.json", *areas)
    sample = LabelmeImages(tmp_path)[0]
    assert (sample.image.shape, sample.masks.shape, sample.masks.dtype) == ((24, 32, 3), (24, 32, 2), np.int32)
    assert sample.info["classes"] == {(0, 1): "cat", (1, 2): "dog"}
    assert np.array_equal(sample.masks[:, :, 1] == 2, box(6, 6, 20, 20))
    assert (sample.masks[:2, :2] == -1).all()


@pytest.mark.parametrize(
    ("file", "image", "path"),
    [
        ("a.json", "a.jpg", "a.jpg"),
        ("a.json", "photos/b.jpg", "photos/b.jpg"),
        ("annotations/a.json", "images/b.jpg", r"..\images\b.jpg"),
        ("annotations/a.json", "images/b.jpg", "b.jpg"),
        ("annotations/train/a.json", "images/train/b.jpg", "b.jpg"),
        ("train/a.json", "JPEGImages/train/b.jpg", "b.jpg"),
        ("a.json", "b.jpg", r"C:\Users\me\raw\b.jpg"),
        ("a.json", "b.jpg", "/home/me/raw/b.jpg"),
        ("a.json", "b.jpg", "../../raw/b.jpg"),
        ("a.json", "a.png", "b.jpg"),
        ("annotations/a.json", "images/a.PNG", "../raw/b.tif"),
        ("a.json", "a.jpg", ""),
        ("a.json", "a.jpg", "left out"),
        ("a.json", "a.jpg", "a.json"),
    ],
)
def test_where_images_are(file: str, image: str, path: str, save: Save, write: Write, tmp_path: Path) -> None:
    save(image)
    write(file, shape(corners(2, 2, 8, 8)), imagePath=path)
    loaded = load_dataset(f"labelme:{tmp_path}")
    assert [sample.id for sample in loaded] == [f"{file.removesuffix('.json')}__1"]
    assert loaded[0].image_file == tmp_path / image
    assert inspect(loaded[0]).fault is None
    assert list(loaded.check_files()) == []


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_an_embedded_image_is_used_if_there_is_no_file(format: str, save: Save, write: Write, tmp_path: Path) -> None:
    pixels = np.full((*SIZE, 3), 200, np.uint8)
    data = in_base64(pixels, format)
    write("a.json", shape(corners(2, 2, 8, 8)), imagePath="../elsewhere/a.jpg", imageData=data, imageHeight=None)
    sample = load_dataset(f"labelme:{tmp_path}")[0]
    assert np.array_equal(sample.read_image(), pixels)
    assert sample.image_file is None
    assert sample.files == (str(tmp_path / "a.json"),)
    assert targets(f"labelme:{tmp_path}").keys() == {"a__1"}
    before = survey(load_dataset(f"labelme:{tmp_path}"), None, lambda *_: None).fingerprint
    save("a.jpg", np.full((*SIZE, 3), 90, np.uint8))
    own = load_dataset(f"labelme:{tmp_path}")
    assert own[0].image_file == tmp_path / "a.jpg"
    assert survey(own, None, lambda *_: None).fingerprint != before


def test_nothing_outside_the_folder_is_read(save: Save, write: Write, tmp_path: Path) -> None:
    save("images/a.jpg")
    write("json/a.json", shape(corners(2, 2, 8, 8)), imagePath="../images/a.jpg")
    loaded = load_dataset(f"labelme:{tmp_path}/json")
    (told,) = loaded.check_files()
    assert told == inspect(loaded[0]).fault
    assert (
        f"{tmp_path}/json/a.json: its image was not found: its imagePath './../images/a.jpg' leads out of the" in told
    )
    assert told.endswith("give a DIR that contains both")
    assert inspect(load_dataset(f"labelme:{tmp_path}")[0]).fault is None


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "kind": (shape(corners(2, 2, 8, 8), kind="cuboid"), "its shape_type is 'cuboid'; expected one of polygon, "),
    "NaN": (shape([[2, 2], [8, 2], [math.nan, 8]]), "a polygon has points that are not finite numbers"),
    "far": (shape([[2, 2], [8, 2], [1e30, 8]]), "a polygon has points far outside the image"),
    "text": (shape([[2, 2], [8, 2], ["x", 8]]), "a polygon has 'x' instead of a number"),
    "not pairs": (shape([[2, 2], [8, 2, 1], [9, 8]]), "its points are not all pairs of x and y"),
    "flat points": (shape([2, 2, 8, 2, 9, 8]), "its points are not all pairs of x and y"),
    "no points": (shape(None), "its points are None; expected a list of [x, y]"),
    "two points": (
        shape([[2, 2], [8, 2]]),
        "the target is empty; there is nothing to click on: shape 1 (cat) covers no",
    ),
    "empty": (shape([]), "shape 1 (cat) covers no pixel of the image"),
    "outside": (shape(corners(30, 40, 50, 60)), "shape 1 (cat) covers no pixel of the image"),
    "rectangle": (shape([[2, 2]], kind="rectangle"), "the points of a rectangle are two pairs of numbers"),
    "circle": (shape([[2, 2], [3, 3], [4, 4]], kind="circle"), "the points of a circle are two pairs of numbers"),
    "endless circle": (shape([[2, 2], [1e300, 1e300]], kind="circle"), "far outside the image"),
    "circle of NaN": (shape([[2, 2], [math.nan, 3]], kind="circle"), "its points are not finite numbers"),
    "no mask": (shape(BOX, kind="mask", mask=None), "its mask is None; expected a picture in base64"),
    "mask in other base": (shape(BOX, kind="mask", mask="A"), "its mask is not valid base64"),
    "mask of no picture": (shape(BOX, kind="mask", mask="AAAA"), "a.json/shape 1: cannot be decoded as an image"),
    "mask of another size": (
        shape([[10, 5], [14, 8]], kind="mask", mask=in_base64(PICTURE)),
        "its mask has 4x4 pixels (rows x columns), but its box 4x5",
    ),
    "mask in colours": (
        shape(BOX, kind="mask", mask=in_base64(np.dstack([PICTURE] * 3))),
        "its mask has 3 channels; expected one",
    ),
    "mask at NaN": (shape([[math.nan, 1], [4, 4]], kind="mask", mask=in_base64(PICTURE)), "its box lies far outside"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_shape_that_cannot_be_a_target_is_named(kind: str, save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    entry, expected = FAULTS[kind]
    file = write("a.json", entry, shape(corners(2, 2, 8, 8)))
    loaded = load_dataset(f"labelme:{tmp_path}")
    first, second = (inspect(sample).fault for sample in loaded)
    assert first is not None
    assert expected in first
    assert str(file) in first
    assert "\n" not in first
    assert second is None, "the others remain usable"
    assert list(loaded.check_files()) == [first]


BROKEN = {
    "no JSON": ("{", "cannot be read as JSON"),
    "bytes": (b"\xff\x00\x81", "cannot be read as JSON"),
    "shapes": ('{"imagePath": "a.jpg", "shapes": {"label": "x"}}', "its shapes are an object; expected a list"),
    "no shapes": ('{"imagePath": "a.jpg"}', "its shapes are None; expected a list"),
    "a shape": ('{"shapes": [3], "imagePath": "a.jpg"}', "shape 1 is 3; expected an object with label and points"),
    "path": ('{"shapes": [], "imagePath": ["a.jpg"]}', "its imagePath is a list of 1; expected text"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_sample_that_is_reported(kind: str, save: Save, write: Write, tmp_path: Path) -> None:
    save("a.jpg")
    save("b.jpg")
    write("b.json", shape(corners(2, 2, 8, 8)))
    content, expected = BROKEN[kind]
    (tmp_path / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded = load_dataset(f"labelme:{tmp_path}")
    assert [sample.id for sample in loaded] == ["a", "b__1"]
    broken, fine = (inspect(sample).fault for sample in loaded)
    assert fine is None
    assert broken is not None
    assert broken.startswith(f"{tmp_path}/a.json: {expected}")
    assert list(loaded.check_files()) == [broken]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"imageHeight": 32, "imageWidth": 24}, "image and mask differ in size (rows x columns): 24x32 but 32x24"),
        ({"imageHeight": 0}, "its imageHeight and imageWidth are 0 and 32; expected the image's rows and columns"),
        ({"imageHeight": "x"}, "its imageHeight and imageWidth are 'x' and 32"),
        ({"imageHeight": 10**9, "imageWidth": 10**9}, "too large to be drawn on"),
    ],
)
def test_a_size_that_is_not_the_images_is_reported(
    fields: dict[str, Any], expected: str, save: Save, write: Write, tmp_path: Path
) -> None:
    save("a.jpg")
    write("a.json", shape(corners(2, 2, 8, 8)), **fields)
    loaded = load_dataset(f"labelme:{tmp_path}")
    assert expected in (inspect(loaded[0]).fault or "")
    (told,) = loaded.check_files()
    assert expected in told
    assert f"{tmp_path}/a.json" in told


def test_files_as_windows_saves_them(save: Save, tmp_path: Path) -> None:
    content = json.dumps(
        {"shapes": [shape(corners(2, 2, 8, 8), "Kätzchen")], "imagePath": "größe.jpg"}, ensure_ascii=False
    )
    save("größe.jpg")
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.json").write_bytes(content.encode(encoding))
        assert list(targets(f"labelme:{tmp_path}?label=Kätzchen")) == ["a__1"]


def test_what_has_no_area_or_is_not_labelmes_is_left_out_with_a_warning(
    save: Save, write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save("a.jpg")
    lines = [
        shape([[1, 1], [5, 5]], "edge", "line"),
        shape([[1, 1]], "nose", "point"),
        shape([[1, 1]] * 3, "x", "linestrip"),
    ]
    write("a.json", *lines, shape(corners(2, 2, 8, 8)))
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / ".hidden.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert list(targets(f"labelme:{tmp_path}")) == ["a__4"]
    told = {record.getMessage() for record in caplog.records}
    assert told == {
        f"{tmp_path}: left out are JSON files that are not labelme's: {tmp_path}/package.json",
        f"{tmp_path}: 3 points and lines are left out, as they have no area: {tmp_path}/a.json: shape 1 (edge), "
        f"{tmp_path}/a.json: shape 2 (nose), {tmp_path}/a.json: shape 3 (x)",
    }
    write("a.json", *lines)
    with pytest.raises(
        DatasetError, match=r"1 labelme files have no outlined object; their 3 shapes are points, lines"
    ):
        len(load_dataset(f"labelme:{tmp_path}"))


def test_a_folder_of_other_files_is_named_as_what_it_is(save: Save, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"there is no directory {tmp_path}/none"):
        load_dataset(f"labelme:{tmp_path}/none")
    save("a.jpg")
    with pytest.raises(DatasetError, match=rf"{tmp_path} has no labelme files \(\.json\)$"):
        load_dataset(f"labelme:{tmp_path}")
    (tmp_path / "all.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(DatasetError, match=f"is a COCO file; did you mean coco:{tmp_path}/all.json"):
        len(load_dataset(f"labelme:{tmp_path}"))
    (tmp_path / "a.json").write_text('{"shapes": []}')
    with pytest.raises(DatasetError, match=f"it is a file; did you mean labelme:{tmp_path}\\?"):
        load_dataset(f"labelme:{tmp_path}/a.json")
